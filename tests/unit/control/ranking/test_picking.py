import pytest

from control.api.strategies import Strategy
from control.ranking.candidates import Candidate
from control.ranking.picking import Load, live, picked

STEPS = ((2, 0.03), (5, 0.06))
BEST = Candidate("b", "m", True, 0.6, 0, 0.255)
NEXT = Candidate("c", "m", True, 0.5, 0, 0.255)
SAME = Candidate("a", "m", True, 0.5, 0, 0.02)
LATER = Candidate("d", "m", True, 0.9, 1, 0.255)
ALL = [LATER, NEXT, BEST, SAME]


def ids(strategy, loads):
    return "".join(one.service_id for one in picked(strategy, ALL, loads, STEPS))


@pytest.mark.parametrize(
    ("strategy", "loads", "expected"),
    [
        (Strategy.SCORED, {}, "b"),
        (Strategy.SCORED, {"b": Load(queue_depth=1_000)}, "b"),
        (Strategy.LEAST_LOADED, {}, "b"),
        (Strategy.LEAST_LOADED, {"b": Load(1)}, "a"),
        (Strategy.LEAST_LOADED, {"a": Load(1), "b": Load(0, 1), "c": Load(1)}, "b"),
        (Strategy.LEAST_LOADED, {"a": Load(2, 1), "b": Load(0, 4), "c": Load(2)}, "c"),
        (Strategy.POWER_OF_TWO, {}, "ba"),
        (Strategy.POWER_OF_TWO, {"b": Load(9)}, "ac"),
        (Strategy.ROUND_ROBIN, {}, "bac"),
    ],
)
def test_who_is_picked_of_the_best_tier(strategy, loads, expected):
    assert ids(strategy, loads) == expected


def test_a_score_is_lowered_by_what_waits_and_never_by_more_than_its_runtime_part():
    assert live(BEST, Load(), STEPS) == 0.6
    assert live(BEST, Load(queue_depth=2), STEPS) == pytest.approx(0.57)
    # What is sent there and cannot be served at once waits, whatever the engine tells.
    assert live(BEST, Load(in_flight=9, concurrency=4), STEPS) == pytest.approx(0.54)
    assert live(SAME, Load(queue_depth=5), STEPS) == pytest.approx(0.48)


def test_nobody_is_picked_of_nobody_and_one_is_picked_of_one():
    for strategy in Strategy:
        assert picked(strategy, [], {}, STEPS) == []
        assert picked(strategy, [NEXT], {"c": Load(50, 50)}, STEPS) == [NEXT]
