from dataclasses import replace
from random import Random

import pytest

from control.api.strategies import Strategy
from control.ranking.candidates import Candidate
from control.ranking.picking import Load, live, picked
from control.ranking.speed import Speed
from gateway import load as gateway_load
from gateway.balance import USUAL, outlook, take
from gateway.breaker import Breaker
from gateway.config import Ejection, Limits
from gateway.rates import Learned
from gateway.rotation import Occupied, Rotation
from gateway.route import Choice, Route
from gateway.told import Told

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


class Busy(gateway_load.Load):
    """A service as gateways see it, without connections."""


def route_of(strategy, candidates, loads):
    """Return what a gateway knows of them."""
    route = Route()
    route.strategy, route.steps = strategy, STEPS
    learned, choices = Learned(), []
    for one in candidates:
        load, upstream = loads[one.service_id], Busy(one.service_id, Limits())
        upstream.in_flight, upstream.queue_depth = load.in_flight, load.queue_depth
        upstream.elsewhere, upstream.pending = load.queue_depth, load.pending_s
        upstream.breaker = Breaker(Ejection(), lambda: 0.0, lambda: None)
        upstream.gated = load.gated
        upstream.resize(load.concurrency)
        rates = learned.rates(one.service_id, one.asset_id)
        speed = load.speeds.get(one.asset_id)
        if speed is not None:
            told = (speed.prefill, speed.decode, speed.load_s, speed.answer, 4.0)
            learned.tell([Told(one.service_id, one.asset_id, *told)])
        asset = one.asset_id.encode()
        fixed = (one.score, one.tier, one.runtime, None)
        choices.append(Choice(upstream, asset, b"", *fixed, rates, one.absent))
    route.fill(choices)
    return route


def dispatched(route, random):
    """Return the service that a gateway sends the next request to."""
    route.asked(random.choice(route.pool))
    upstream = take(route, random.random).upstream
    upstream.in_flight -= 1
    return upstream.service_id


def drawn(random, **loads):
    """Return some candidates, and how busy they are. loads: of what to draw more of that."""
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
    return candidates, {
        one.service_id: Load(
            random.randrange(6),
            random.randrange(6),
            random.randrange(3),
            **{name: draw() for name, draw in loads.items()},
        )
        for one in candidates
    }


@pytest.mark.parametrize("strategy", Strategy)
def test_gateways_send_requests_exactly_to_those_that_are_said_to_be_picked(strategy):
    random = Random(5)
    for _ in range(200):
        candidates, loads = drawn(random)
        route = route_of(strategy, candidates, loads)
        sent = {dispatched(route, random) for _ in range(200)}
        assert sent == {one.service_id for one in picked(strategy, candidates, loads, STEPS)}


def some_speed(random):
    level, rate = random.choice((1, 4)), random.uniform(2, 90)
    return Speed(random.uniform(50, 5_000), ((level, rate),), random.uniform(1, 60), 150.0)


def test_what_is_expected_is_what_gateways_expect_of_a_usual_request():
    random = Random(7)
    for _ in range(300):
        candidates, loads = drawn(
            random,
            pending_s=lambda: random.choice((0.0, 2.0)),
            speeds=lambda: {"m": some_speed(random)},
        )
        absent = [replace(one, absent=random.random() < 0.5) for one in candidates]
        route = route_of(Strategy.EXPECTED_COMPLETION, absent, loads)
        for choice in route.choices:
            (one,) = (one for one in absent if one.service_id == choice.upstream.service_id)
            told = loads[one.service_id].expected(one)
            assert told == pytest.approx(outlook(choice, USUAL, 0.0), rel=1e-3)


@pytest.mark.parametrize("strategy", [Strategy.SCORED, Strategy.LEAST_LOADED])
def test_with_a_waiting_room_gateways_send_to_those_that_are_free_or_wait(strategy):
    random = Random(3)
    for _ in range(300):
        candidates, loads = drawn(
            random, pending_s=lambda: random.choice((0.0, 0.4, 0.6)), gated=lambda: True
        )
        (said,) = picked(strategy, candidates, loads, STEPS)
        rotation = Rotation(Ejection(), random.random)
        try:
            _, choice = rotation.take([route_of(strategy, candidates, loads)], (), 0.0, spill=False)
        except Occupied:
            assert not loads[said.service_id].free
        else:
            assert choice.upstream.service_id == said.service_id


def test_nobody_loads_what_others_have_in_memory_however_busy_they_are():
    cold = replace(BEST, absent=True)
    loads = {"c": Load(50, 50), cold.service_id: Load(loaded_assets=1)}

    for strategy in Strategy:
        assert picked(strategy, [cold, NEXT], loads, STEPS) == [NEXT]
        assert picked(strategy, [cold], loads, STEPS) == [cold]


def test_an_empty_memory_is_filled_where_it_is_reckoned_what_that_takes():
    cold = replace(BEST, absent=True)
    loads = {"c": Load(50, 50)}

    for strategy in Strategy:
        reckoned = strategy is Strategy.EXPECTED_COMPLETION
        assert picked(strategy, [cold, NEXT], loads, STEPS) == [cold if reckoned else NEXT]
    assert picked(Strategy.EXPECTED_COMPLETION, [cold, NEXT], {}, STEPS) == [NEXT]


def test_slots_are_what_its_node_tells_or_what_was_learned_and_never_what_no_engine_has():
    learned = {"m": Speed(slots=3), "n": Speed(slots=4), "o": Speed(2_000.0)}

    assert Load(concurrency=2, speeds=learned).slots == 2
    assert Load(speeds=learned).slots == 4
    assert Load(concurrency=10**6, speeds=learned).slots == 4
    assert Load(concurrency=10**6).slots == 8


def test_who_would_end_first_is_picked_busy_or_not():
    fast = Load(8, 0, 8, gated=True, speeds={"m": Speed(5_000.0, ((1, 400.0),))})
    slow = Load(0, 0, 8, gated=True, speeds={"m": Speed(50.0, ((1, 2.0),))})

    assert picked(Strategy.EXPECTED_COMPLETION, [NEXT, SAME], {"c": fast, "a": slow}, STEPS) == [
        NEXT
    ]
    assert picked(Strategy.LEAST_LOADED, [NEXT, SAME], {"c": fast, "a": slow}, STEPS) == [SAME]
