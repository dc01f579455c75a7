"""What a run found is kept whole, and the page says it."""

import pytest

from tests.chaos import results
from tests.chaos.promise import Figure, all_of, milliseconds, none, quantile, seconds, told
from tests.chaos.results import Result

GOOD = Result("R10", "full", (none("left over", 0), seconds("until freed", 0.5, at_most=1.0)))
MISSED = Result("R10", "short", (none("left over", 3),))


@pytest.mark.parametrize(
    ("figure", "kept", "kept_by_a_busy_machine"),
    [
        (none("x", 0), True, True),
        (none("x", 1), False, False),
        (all_of("x", 9, 10), False, False),
        (all_of("x", 10, 10), True, True),
        (seconds("x", 4.0, at_most=1.0), False, True),
        (milliseconds("x", 0.2, at_most=10.0), False, False),
        (told("x", 1e9), True, True),
        (Figure("x", 5, at_least=20, timed=True), False, True),
    ],
)
def test_a_figure_keeps_its_bound(figure, kept, kept_by_a_busy_machine):
    assert figure.holds() is kept
    assert figure.holds(10.0) is kept_by_a_busy_machine


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (1.0, 100.0)]
)
def test_quantiles_of_a_hundred(share, expected):
    assert quantile([float(number) for number in range(100, 0, -1)], share) == expected


def test_of_nothing_there_is_no_quantile():
    assert quantile([], 0.99) == 0.0


def test_results_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "new" / "R10.json"
    assert results.read(path) is None
    results.write(path, GOOD.as_json())

    assert results.read(path) == GOOD


def test_a_short_run_never_replaces_a_full_one(tmp_path):
    kept, page = tmp_path / "promises.json", tmp_path / "promises.md"
    results.keep([MISSED], kept, page)
    assert (
        "| R10 | A client that leaves frees its engine | **missed** | short |" in page.read_text()
    )
    results.keep([GOOD], kept, page)
    results.keep([MISSED], kept, page)

    assert results.kept_results(kept) == {"R10": GOOD}
    assert "| kept | full | `make chaos P=R10` |" in page.read_text()
    assert "| until freed | ≤ 1 s | 0.5 s | kept |" in page.read_text()


def test_what_could_not_be_measured_says_why():
    page = results.rendered({"R23": Result("R23", "full", problem="needs root", unmeasured=True)})

    assert "| not measured: needs root | full |" in page
    assert "| R35 | Revoking a key is fast everywhere | not measured: comes with keys" in page
