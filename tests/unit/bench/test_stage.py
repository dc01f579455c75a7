import sys

import pytest

from bench.cases import JSON_1
from bench.peers import Missing
from bench.stage import Cores, cores, stage
from bench.targets import Launch, Target, free_port


@pytest.mark.parametrize(
    ("workers", "available", "under_test", "crew"),
    [
        (1, {0, 1}, {1}, {0}),
        (2, {0, 1}, {0, 1}, {0, 1}),
        (1, {3}, {3}, {3}),
        (1, {0, 1, 2, 3}, {3}, {0, 1, 2}),
        (2, {0, 1, 2, 3}, {2, 3}, {0, 1}),
    ],
)
def test_a_target_has_cores_to_itself_where_there_are_enough(workers, available, under_test, crew):
    found = cores(workers, frozenset(available))

    assert found == Cores(frozenset(under_test), frozenset(crew))


def missing(folder, engine):
    raise Missing("not here")


def ending(folder, engine):
    return Launch(free_port(), (sys.executable, "-c", "import sys; sys.exit('no reason')"))


def test_what_cannot_be_had_or_does_not_run_is_left_out_with_its_reason():
    said = []
    targets = [Target(one.__name__, one, lambda: "1", (JSON_1,)) for one in (missing, ending)]

    with stage(targets, said.append) as found:
        assert found.engine.alive
        assert found.staged == []
        assert found.skipped == {"missing": "not here", "ending": "it ended: no reason"}

    assert not found.engine.alive
    assert len(said) == 2
