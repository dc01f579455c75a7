"""Which of the best choices serves next."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.strategies import Strategy
from gateway.balance import LOOKS, TRIES, best_scored, least_loaded, less_loaded_of_two, load
from gateway.balance import take as taken
from gateway.rates import Learned
from gateway.route import Choice, Route
from tests.unit.gateway.pushed import StubUpstream

RATES = Learned().rates("h/a", "m")

LOADS = st.lists(st.integers(0, 3), min_size=1, max_size=LOOKS)
STEPS = ((2, 0.03), (5, 0.06))


def choices(loads, scores=None):
    found = []
    for number, in_flight in enumerate(loads):
        upstream = StubUpstream(f"h/{number:04}", None)
        upstream.in_flight = in_flight
        score = scores[number] if scores else 0.5
        found.append(Choice(upstream, b'"m"', b"", score, 0, 0.2, None, RATES))
    return found


def route(strategy, loads, **fields):
    found = Route()
    found.strategy, found.steps = strategy, STEPS
    found.fill(choices(loads, **fields))
    return found


def take(found, draw):
    choice = taken(found, draw)
    found.asked(choice)
    return choice.upstream.service_id


@given(LOADS)
def test_the_least_loaded_is_the_first_of_those_with_the_least(loads):
    found = choices(loads)

    assert least_loaded(found, random.random) is found[loads.index(min(loads))]


@given(LOADS, st.integers(1, 5))
def test_no_service_gets_a_second_request_while_an_equal_one_is_idle(loads, more):
    found = choices([0] * len(loads))
    for _ in range(more * len(loads)):
        one = least_loaded(found, random.random)
        if one.upstream.in_flight:
            assert all(other.upstream.in_flight for other in found)
        one.upstream.in_flight += 1


@given(st.integers(LOOKS + 1, 1_000), st.floats(0, 1, exclude_max=True))
def test_of_very_many_a_window_is_looked_at(count, draw):
    loads = [9] * count
    loads[int(draw * count)] = 1

    assert load(least_loaded(choices(loads), lambda: draw)) == 1


@given(st.integers(2, 1_000), st.floats(0, 1, exclude_max=True))
def test_two_different_ones_are_compared(count, draw):
    loads = list(range(count, 0, -1))
    found = choices(loads)

    chosen = less_loaded_of_two(found, lambda: draw)

    assert chosen in found
    assert chosen is not found[0]  # it is the most loaded one, so that any other is taken


@pytest.mark.parametrize("count", [2, 5, 50])
@pytest.mark.parametrize("strategy", [Strategy.LEAST_LOADED, Strategy.POWER_OF_TWO])
def test_load_spreads(strategy, count):
    """No service is left out, and none has twice its share."""
    found = route(strategy, [0] * count)
    draw = random.Random(1)
    taken = Counter(take(found, draw.random) for _ in range(100 * count))

    assert max(taken.values()) <= 110
    assert min(taken.values()) >= 80


@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_in_turn_each_serves_as_often(count):
    found = route(Strategy.ROUND_ROBIN, [0] * count)
    taken = Counter(take(found, random.random) for _ in range(10 * count))

    assert set(taken.values()) == {10}


def test_a_change_of_scores_does_not_change_the_turn():
    found = route(Strategy.ROUND_ROBIN, [0] * 3)
    taken = []
    for score in (0.1, 0.9, 0.3, 0.8, 0.2, 0.7):
        taken.append(take(found, random.random))
        held = found.choices[0]
        changed = Choice(held.upstream, held.asset, b"", score, 0, 0.2, None, RATES)
        found.change({held.upstream.service_id: changed})

    assert taken == ["h/0000", "h/0001", "h/0002"] * 2


def test_a_service_that_comes_and_goes_takes_no_turn_of_others():
    found = route(Strategy.ROUND_ROBIN, [0] * 4)
    *_, fourth = found.choices
    taken = Counter()
    for turn in range(300):
        found.change({"h/0003": fourth if turn % 2 else None})
        taken[take(found, random.random)] += 1

    assert len(taken) == 4
    del taken["h/0003"]
    assert max(taken.values()) <= 1.1 * min(taken.values())


def test_scored_takes_the_best_until_requests_wait_there():
    found = route(Strategy.SCORED, [0, 0], scores=[0.52, 0.50])
    taken = [take(found, random.random) for _ in range(6)]

    # One is served at a time where no number is known; two that wait cost 0.03.
    assert taken == ["h/0000"] * 3 + ["h/0001"] * 3


def test_scored_knows_how_many_a_service_serves_at_once():
    found = route(Strategy.SCORED, [0, 0], scores=[0.52, 0.50])
    found.choices[0].upstream.concurrency = 4

    assert [take(found, random.random) for _ in range(7)] == ["h/0000"] * 6 + ["h/0001"]


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 8), st.sampled_from([0.3, 0.33, 0.36])),
        min_size=1,
        max_size=LOOKS,
    )
)
def test_scored_is_the_best_of_all_by_live_score(services):
    found = route(
        Strategy.SCORED, [one for one, _, _ in services], scores=[s for _, _, s in services]
    )
    for choice, (_, queue, _) in zip(found.choices, services, strict=True):
        choice.upstream.queue_depth = choice.upstream.elsewhere = queue

    def live(choice):
        upstream = choice.upstream
        waits = max(upstream.queue_depth, upstream.in_flight - 1)
        cost = 0.06 if waits >= 5 else 0.03 if waits >= 2 else 0.0
        return -round(choice.score - cost, 6), upstream.service_id

    assert best_scored(found.pool, STEPS, random.random) is min(found.choices, key=live)


def test_of_very_many_as_good_ones_scored_leaves_none_idle():
    found = route(Strategy.SCORED, [0] * 5 * LOOKS)
    draw = random.Random(1)

    for _ in range(10 * len(found.choices)):
        take(found, draw.random)

    assert all(choice.upstream.in_flight for choice in found.choices)


def test_of_very_many_scored_takes_no_worse_one_than_those_it_looks_at():
    scores = [0.9] * LOOKS + [0.6] * LOOKS
    found = route(Strategy.SCORED, [9] * LOOKS + [0] * LOOKS, scores=scores)

    assert take(found, random.random) == "h/0000"


@given(st.integers(1, 40), st.sampled_from(Strategy), st.floats(0, 1, exclude_max=True))
def test_only_the_best_tier_serves(count, strategy, draw):
    found = Route()
    found.strategy = strategy
    tiers = [number % 3 for number in range(count)]
    found.fill(
        Choice(one.upstream, b"", b"", one.score, tier, 0.2, None, RATES)
        for one, tier in zip(choices([5] * count), tiers, strict=True)
    )

    assert {taken(found, lambda: draw).tier for _ in range(3)} == {0}


class Contested(StubUpstream):
    """A service that a sibling takes in the moment in which we do, so many times."""

    shared = True

    def __init__(self, service_id, times):
        self.times = 0
        super().__init__(service_id, None)
        self.times = times

    def __setattr__(self, name, value):
        if name == "in_flight" and self.times:
            object.__setattr__(self, "times", self.times - 1)
            self.elsewhere += 1
        object.__setattr__(self, name, value)


@pytest.mark.parametrize("times", [0, 1, 2, 100])
def test_what_a_sibling_took_at_the_same_time_is_given_back(times):
    contested, idle = Contested("h/a", times), Contested("h/b", 0)
    found = Route()
    found.fill(Choice(one, b"", b"", 0.5, 0, 0.2, None, RATES) for one in (contested, idle))

    choice = taken(found, random.random)

    assert choice.upstream is (idle if times else contested)
    assert contested.in_flight + idle.in_flight == 1


class Mirrored(StubUpstream):
    """A service that a sibling takes whenever we do, and gives back when we do."""

    shared = True

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name == "in_flight":
            self.elsewhere = value


def test_siblings_that_do_the_same_at_the_same_time_do_not_meet_again_and_again():
    found = Route()
    services = [Mirrored("h/a", None), *(Contested(f"h/{name}", 0) for name in "bcd")]
    found.fill(Choice(one, b"", b"", 0.5, 0, 0.2, None, RATES) for one in services)

    assert taken(found, random.Random(1).random).upstream.service_id != "h/a"


class Freed(StubUpstream):
    """A service that a sibling gives back right after we looked at it."""

    shared = True
    siblings = 1

    @property
    def elsewhere(self):
        found, self.siblings = self.siblings, 0
        return found

    @elsewhere.setter
    def elsewhere(self, value):
        pass


def test_what_became_idle_while_others_were_looked_at_is_found():
    """A process may be interrupted for long between two looks."""
    busy, freed = Contested("h/a", 0), Freed("h/b", None)
    busy.elsewhere = 1
    found = Route()
    found.fill(Choice(one, b"", b"", 0.5, 0, 0.2, None, RATES) for one in (busy, freed))

    assert taken(found, random.Random(1).random).upstream is freed
    assert (busy.in_flight, freed.in_flight) == (0, 1)


def test_where_siblings_are_always_faster_one_is_taken_all_the_same():
    everywhere = [Contested(f"h/{name}", 1_000) for name in "ab"]
    found = Route()
    found.fill(Choice(one, b"", b"", 0.5, 0, 0.2, None, RATES) for one in everywhere)

    taken(found, random.random)

    assert sum(one.in_flight for one in everywhere) == 1
    assert sum(1_000 - one.times for one in everywhere) == 2 * TRIES + 1
