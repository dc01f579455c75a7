from collections import Counter
from random import Random

import pytest

from bench.replay.engines import FLEETS
from bench.replay.figures import figures
from bench.replay.published import POLICIES, LeastLoaded
from bench.replay.workload import part, workload
from bench.replay.world import World
from tests.unit.bench.replay.made import QUICK, conversation, request, singles

# A prompt that is read in 3.98 s.
LONG = {"prompt": 3_960, "answer": 2}


@pytest.mark.parametrize("name", POLICIES)
def test_every_request_is_answered_once_and_the_same_way_again(name):
    outcomes = []
    for _ in range(2):
        requests = workload(conversation(), FLEETS["A"], 0.7, 100, seed=1)
        world = World(FLEETS["A"], requests, POLICIES[name], seed=1)
        world.run()
        outcomes.append(figures(requests, 3))

        assert all(one.at <= one.sent < one.first < one.done for one in requests)
        assert sum(map(sum, world.in_flight)) == 0
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("trace", [conversation(), singles()], ids=["sessions", "singles"])
def test_the_load_stretches_the_time_and_nothing_else(trace):
    quiet, busy = (workload(trace, FLEETS["B"], load, 300, seed=0) for load in (0.2, 0.8))

    assert [one.prompt for one in quiet] == [one.prompt for one in busy]
    assert quiet[-1].at == pytest.approx(4 * busy[-1].at)


def test_a_part_has_whole_sessions():
    trace = conversation()
    requests = workload(trace, FLEETS["B"], 0.5, 100, seed=3)

    assert len(requests) == 100
    assert len({one.session for one in requests}) == 10


def test_a_part_has_whole_sessions_though_the_first_request_is_of_none():
    chosen = part([*singles(1), *conversation()], 100, Random(3), seed=3)
    counts = Counter(one.session for one in chosen if one.session > 0)

    assert set(counts.values()) == {10}


def test_a_gateway_knows_its_own_at_once_and_others_late():
    requests = [
        request(0, at=1.01, **LONG),
        request(1, at=1.02, **LONG),
        request(2, at=1.5, **LONG),
    ]
    for one in requests[1:]:
        one.gateway = 1
    seen = []

    class Looking(LeastLoaded):
        def picked(self, request):
            seen.append(self.counts())
            return 0

    World([QUICK, QUICK], requests, Looking, age_s=0.25).run()

    assert seen == [[0, 0], [0, 0], [2, 0]]


def test_a_gateway_that_hears_at_once_knows_all():
    requests = [request(0, at=1.0, **LONG), request(1, at=1.001, **LONG)]
    requests[1].gateway = 1
    world = World([QUICK, QUICK], requests, LeastLoaded, age_s=0)

    world.run()

    assert {one.engine for one in requests} == {0, 1}
