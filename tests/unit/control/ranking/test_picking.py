from random import Random
from types import SimpleNamespace

import pytest

from control.api.strategies import Strategy
from control.ranking.candidates import Candidate
from control.ranking.picking import Load, live, picked
from gateway.balance import take
from gateway.rates import Learned
from gateway.route import Choice, Route

RATES = Learned().rates("h/a", "m")

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


def dispatched(strategy, candidates, loads, random):
    """Return the service that a gateway sends the next request to."""
    route = Route()
    route.strategy, route.steps = strategy, STEPS
    choices = []
    for one in candidates:
        load = loads[one.service_id]
        upstream = SimpleNamespace(
            service_id=one.service_id,
            in_flight=load.in_flight,
            elsewhere=load.queue_depth,
            queue_depth=load.queue_depth,
            concurrency=load.concurrency,
            shared=False,
        )
        asset = one.asset_id.encode()
        choices.append(Choice(upstream, asset, b"", one.score, one.tier, one.runtime, None, RATES))
    route.fill(choices)
    route.asked(random.choice(route.pool))
    return take(route, random.random).upstream.service_id


@pytest.mark.parametrize("strategy", Strategy)
def test_gateways_send_requests_exactly_to_those_that_are_said_to_be_picked(strategy):
    random = Random(5)
    for _ in range(200):
        candidates = [
            Candidate(
                f"s{number}",
                "m",
                loaded=True,
                score=random.choice((0.5, 0.55, 0.6)),
                tier=random.choice((0, 0, 0, 1)),
                runtime=random.choice((0.02, 0.3)),
            )
            for number in random.sample(range(10), random.randint(1, 5))
        ]
        loads = {
            one.service_id: Load(random.randrange(6), random.randrange(6), random.randrange(3))
            for one in candidates
        }
        sent = {dispatched(strategy, candidates, loads, random) for _ in range(200)}
        assert sent == {one.service_id for one in picked(strategy, candidates, loads, STEPS)}
