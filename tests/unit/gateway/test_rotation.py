"""Who may serve now."""

import random
from collections import Counter
from weakref import WeakSet

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from control.api.errors import AllBusy, NoHealthyRoute, UpstreamError, UpstreamTimeout
from control.api.strategies import Strategy
from gateway.breaker import State
from gateway.config import Ejection
from gateway.narrowed import PANIC_FROM
from gateway.rates import Learned
from gateway.rotation import MAX_VIEWS, Rotation
from gateway.route import Choice, Route
from tests.unit.gateway.pushed import StubUpstream

RATES = Learned().rates("h/a", "m")

LOST, TIMEOUT = UpstreamError("l"), UpstreamTimeout("t")


class Fleet:
    """Services `h/0`, `h/1`, … behind routes, and the rotation they are in."""

    def __init__(self, count, *, tiers=(), strategy=Strategy.LEAST_LOADED, seed=0, **rules):
        fields = {"failures": 1, "slow_start": 0.0, **rules}
        self.rotation = Rotation(Ejection(**fields), random.Random(seed).random)
        self.upstreams = [self._upstream(number) for number in range(count)]
        self.route = self.routed(range(count), tiers, strategy)
        self.now = 0.0

    def _upstream(self, number):
        upstream = StubUpstream(f"h/{number}", None)
        upstream.breaker = self.rotation.breaker(upstream.service_id)
        upstream.most = 1_000
        return upstream

    def routed(self, numbers, tiers=(), strategy=Strategy.LEAST_LOADED):
        route = Route()
        route.strategy = strategy
        route.fill(self.choice(one, tiers[one] if tiers else 0) for one in numbers)
        return route

    def choice(self, number, tier=0):
        return Choice(self.upstreams[number], b'"m"', b"", 0.5, tier, 0.2, None, RATES)

    def breaker(self, number):
        return self.upstreams[number].breaker

    def fall(self, *numbers, error=LOST):
        for number in numbers:
            self.breaker(number).failed(self.breaker(number).epoch, error, self.now)

    def look(self, *numbers, error=None):
        for number in numbers:
            epoch = self.breaker(number).checkup_begins(self.now)
            self.breaker(number).checked(epoch, error, self.now)

    def take(self, *routes, tried=()):
        """Return the number of who is taken; it stays in flight there."""
        route, choice = self.rotation.take(routes or [self.route], tried, self.now)
        route.asked(choice)
        return self.upstreams.index(choice.upstream)

    def counted(self, times):
        """Return how often each is taken, of so many requests one after the other."""
        found = Counter()
        for _ in range(times):
            taken = self.take()
            self.upstreams[taken].in_flight -= 1
            found[taken] += 1
        return found

    def answer(self, number):
        self.breaker(number).answered(self.breaker(number).epoch, self.now)


def test_when_nothing_is_wrong_the_strategy_decides():
    fleet = Fleet(3)

    assert fleet.rotation.quiet
    assert [fleet.take() for _ in range(6)] == [0, 1, 2, 0, 1, 2]


def test_who_is_out_is_not_asked():
    fleet = Fleet(3)
    fleet.fall(1)

    assert not fleet.rotation.quiet
    assert [fleet.take() for _ in range(4)] == [0, 2, 0, 2]


def test_who_was_tried_is_not_asked_again():
    fleet = Fleet(3)

    assert [fleet.take(tried={"h/0"}) for _ in range(4)] == [1, 2, 1, 2]


def test_who_is_out_behind_one_name_is_out_behind_all():
    fleet = Fleet(3)
    other = fleet.routed([1, 2])
    fleet.take(other)
    fleet.fall(1)

    assert {fleet.take(other) for _ in range(4)} == {2}


class Watched(Route):
    __slots__ = ("__weakref__",)


def test_routes_that_come_and_go_while_a_service_is_out_are_not_held_for_ever():
    fleet = Fleet(2)
    fleet.fall(0)
    there = WeakSet()
    for _ in range(3 * MAX_VIEWS):
        route = Watched()
        route.fill([fleet.choice(0), fleet.choice(1)])
        there.add(route)
        assert fleet.take(route) == 1
        fleet.upstreams[1].in_flight = 0

    assert len(there) <= MAX_VIEWS


def test_a_change_of_the_route_is_noticed():
    fleet = Fleet(3)
    fleet.fall(0)
    assert fleet.take() == 1
    fleet.route.change({"h/1": None})
    assert {fleet.take() for _ in range(4)} == {2}
    fleet.route.change({"h/2": None, "h/1": fleet.choice(1)})

    assert {fleet.take() for _ in range(4)} == {1}


def test_lower_tiers_stand_in_and_then_other_routes():
    fleet = Fleet(4, tiers=[0, 0, 1, 0])
    first, second = fleet.routed([0, 1, 2], [0, 0, 1]), fleet.routed([3])
    fleet.fall(0)
    assert fleet.take(first, second) == 1
    fleet.fall(1)
    assert fleet.take(first, second) == 2
    fleet.fall(2)

    assert fleet.take(first, second) == 3


def test_turns_go_on_where_they_were():
    fleet = Fleet(4, strategy=Strategy.ROUND_ROBIN)
    assert [fleet.take() for _ in range(2)] == [0, 1]
    fleet.fall(2)

    assert [fleet.take() for _ in range(4)] == [3, 0, 1, 3]


# Trials.


def test_one_request_tries_who_passed_a_checkup_and_the_others_go_elsewhere():
    fleet = Fleet(3)
    fleet.fall(0)
    fleet.look(0)

    assert [fleet.take() for _ in range(5)] == [0, 1, 2, 1, 2]
    fleet.answer(0)
    assert fleet.rotation.quiet


def test_of_500_requests_at_once_one_is_the_trial():
    fleet = Fleet(2)
    fleet.fall(0, error=TIMEOUT)
    fleet.look(0)

    assert Counter(fleet.take() for _ in range(500)) == {0: 1, 1: 499}


def test_a_request_that_failed_elsewhere_tries_nobody_unless_nobody_else_is_left():
    fleet = Fleet(3)
    fleet.fall(0)
    fleet.look(0)

    assert fleet.take(tried={"h/1"}) == 2
    assert fleet.take(tried={"h/1", "h/2"}) == 0


def test_who_would_not_serve_anyway_is_not_tried():
    """Or a request would be answered by less than it may have."""
    fleet = Fleet(2, tiers=[0, 1])
    fleet.fall(1)
    fleet.look(1)

    assert {fleet.take() for _ in range(3)} == {0}
    fleet.fall(0)
    assert fleet.take() == 1


# Resting.


def test_who_rests_is_asked_when_all_others_rest_too():
    fleet = Fleet(3)
    fleet.breaker(0).rests(5, 0.0)
    assert {fleet.take() for _ in range(4)} == {1, 2}
    fleet.breaker(1).rests(5, 0.0)
    fleet.breaker(2).rests(5, 0.0)
    assert fleet.take() in (0, 1, 2)

    fleet.now = 5.0
    assert {fleet.take() for _ in range(6)} == {0, 1, 2}
    assert fleet.rotation.quiet


def test_lower_tiers_stand_in_for_those_that_rest():
    fleet = Fleet(2, tiers=[0, 1])
    fleet.breaker(0).rests(5, 0.0)

    assert fleet.take() == 1


# As many as they may.


def test_who_is_full_is_not_asked():
    fleet = Fleet(3)
    fleet.upstreams[0].most = 1

    assert [fleet.take() for _ in range(5)] == [0, 1, 2, 1, 2]


def test_lower_tiers_stand_in_for_those_that_are_full():
    fleet = Fleet(2, tiers=[0, 1])
    fleet.upstreams[0].most = 2

    assert [fleet.take() for _ in range(3)] == [0, 0, 1]


@pytest.mark.parametrize("rests", [False, True])
def test_when_all_are_full_that_is_told(rests):
    fleet = Fleet(2)
    for number, upstream in enumerate(fleet.upstreams):
        upstream.most = 1
        if rests:
            fleet.breaker(number).rests(5, 0.0)
    fleet.take()
    fleet.take()

    with pytest.raises(AllBusy) as caught:
        fleet.take()

    assert caught.value.retry_after == 1
    assert [one.in_flight for one in fleet.upstreams] == [1, 1]


# All out.


def test_when_all_fail_each_is_asked_once_a_request():
    fleet = Fleet(3)
    fleet.fall(0, 1, 2)

    assert {fleet.take() for _ in range(6)} == {0, 1, 2}
    with pytest.raises(NoHealthyRoute) as caught:
        fleet.take(tried={"h/0"})
    assert caught.value.retry_after in (10, 11)
    assert "out of rotation (1 failure)" in str(caught.value)


def test_the_first_that_is_answered_when_all_fail_is_back():
    fleet = Fleet(3)
    fleet.fall(0, 1, 2)
    taken = fleet.take()
    fleet.answer(taken)

    assert {fleet.take() for _ in range(6)} == {taken}


def test_when_all_are_silent_one_request_at_a_time_asks_each():
    """So that an engine that hangs holds up one client, and not the gateway."""
    fleet = Fleet(3)
    fleet.fall(0, 1, 2, error=TIMEOUT)
    assert sorted(fleet.take() for _ in range(3)) == [0, 1, 2]
    with pytest.raises(NoHealthyRoute):
        fleet.take()

    fleet.fall(1, error=TIMEOUT)
    assert fleet.take() == 1
    with pytest.raises(NoHealthyRoute):
        fleet.take()


def test_who_fails_is_asked_rather_than_who_is_silent():
    fleet = Fleet(3)
    fleet.fall(0, 1, error=TIMEOUT)
    fleet.fall(2)

    assert {fleet.take() for _ in range(4)} == {2}


def test_when_most_of_many_fail_they_are_asked_as_the_others():
    fleet = Fleet(6)
    fleet.fall(0, 1, 2)
    assert {fleet.take() for _ in range(12)} == {3, 4, 5}
    fleet.fall(3)
    assert {fleet.take() for _ in range(60)} == {0, 1, 2, 3, 4, 5}

    # A second attempt is for those that work.
    assert {fleet.take(tried={"h/4"}) for _ in range(12)} == {5}


def test_when_most_of_many_are_silent_the_others_serve():
    fleet = Fleet(6)
    fleet.fall(0, 1, 2, 3, error=TIMEOUT)

    assert {fleet.take() for _ in range(12)} == {4, 5}


def test_when_most_of_few_fail_the_others_serve():
    fleet = Fleet(PANIC_FROM - 1)
    fleet.fall(*range(PANIC_FROM - 2))

    assert {fleet.take() for _ in range(12)} == {PANIC_FROM - 2}


def test_a_name_that_nobody_serves_is_told():
    with pytest.raises(NoHealthyRoute):
        Fleet(0).take()


# Coming back.


def returned(count=3, **fields):
    """Return a fleet whose first service comes back over ten seconds from now on."""
    fleet = Fleet(count, slow_start=10.0, **fields)
    fleet.fall(0)
    fleet.answer(0)
    return fleet


@pytest.mark.parametrize(
    "strategy", [Strategy.LEAST_LOADED, Strategy.ROUND_ROBIN, Strategy.POWER_OF_TWO]
)
def test_its_part_grows_with_time(strategy):
    shares = []
    for now in (0.0, 2.0, 5.0, 8.0, 10.0):
        fleet = returned(strategy=strategy)
        fleet.now = now
        for upstream in fleet.upstreams[1:]:
            upstream.in_flight = 10
        fleet.upstreams[0].in_flight = 0
        shares.append(fleet.counted(400)[0] / 400)

    assert shares[0] == 0.0
    assert shares == sorted(shares)
    # Ever idle, it would get all (of two, two thirds); in turn a third.
    full = {Strategy.LEAST_LOADED: 1.0, Strategy.POWER_OF_TWO: 2 / 3}.get(strategy, 1 / 3)
    assert shares[-1] == pytest.approx(full, abs=0.1)


@pytest.mark.parametrize("now", [1.0, 3.0, 5.0, 9.0])
def test_it_holds_its_part_of_what_the_others_hold(now):
    fleet = returned()
    fleet.now = now
    for upstream in fleet.upstreams[1:]:
        upstream.in_flight = 9
    for _ in range(100):
        taken = fleet.take()
        if taken:
            fleet.upstreams[taken].in_flight -= 1

    assert fleet.upstreams[0].in_flight == pytest.approx(now, abs=1)


def test_who_comes_back_alone_serves_at_once():
    fleet = returned(2)
    fleet.fall(1)

    assert {fleet.take() for _ in range(9)} == {0}


def test_when_it_is_back_all_is_quiet():
    fleet = returned()
    fleet.now = 9.9
    fleet.rotation.pass_time(fleet.now)
    assert not fleet.rotation.quiet
    fleet.rotation.pass_time(10.0)

    assert fleet.rotation.quiet


# Who leaves the table and returns.


def test_who_leaves_and_returns_is_still_out():
    fleet = Fleet(2)
    fleet.fall(0)

    assert fleet.rotation.breaker("h/0") is fleet.breaker(0)
    assert fleet.rotation.breaker("h/1") is not fleet.breaker(1)


def test_who_is_out_can_be_listed():
    fleet = Fleet(3)
    fleet.fall(1)
    fleet.breaker(2).rests(5, 0.0)

    assert {name: one.reason for name, one in fleet.rotation.ejections(4.0).items()} == {
        "h/1": "1 failure"
    }


class Machine(RuleBasedStateMachine):
    """Anything may happen to eight services behind two routes; a naive model says who may serve."""

    @initialize(seed=st.integers(0, 99), count=st.sampled_from([2, 4, 8]))
    def begin(self, seed, count):
        tiers = [number % 2 for number in range(count)]
        self.fleet = Fleet(count, slow_start=5.0, failures=2, pause=2.0, seed=seed, tiers=tiers)
        self.routes = [self.fleet.route, self.fleet.routed(range(0, count, 2))]
        self.under_way = []

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0]))
    def time_passes(self, seconds):
        self.fleet.now += seconds
        self.fleet.rotation.pass_time(self.fleet.now)

    @rule(number=st.integers(0, 7), end=st.sampled_from(["lost", "timeout", "answered", "left"]))
    def a_request_ends(self, number, end):
        if not self.under_way:
            return
        upstream, epoch = self.under_way.pop(number % len(self.under_way))
        upstream.in_flight -= 1
        if end == "answered":
            upstream.breaker.answered(epoch, self.fleet.now)
        elif end == "left":
            upstream.breaker.left(epoch)
        else:
            error = LOST if end == "lost" else TIMEOUT
            upstream.breaker.failed(epoch, error, self.fleet.now)

    @rule(number=st.integers(0, 7))
    def one_falls(self, number):
        self.fleet.fall(*[number % len(self.fleet.upstreams)] * 2)

    @rule(number=st.integers(0, 7))
    def one_rests(self, number):
        self.fleet.breaker(number % len(self.fleet.upstreams)).rests(3, self.fleet.now)

    @rule(number=st.integers(0, 7), most=st.sampled_from([1, 2, 1_000]))
    def one_may_have(self, number, most):
        self.fleet.upstreams[number % len(self.fleet.upstreams)].most = most

    @rule(error=st.sampled_from([None, LOST, TIMEOUT]))
    def checkups_are_made(self, error):
        for name, breaker in self.fleet.rotation.due(self.fleet.now):
            assert breaker.state is not State.IN, name
            breaker.checked(breaker.checkup_begins(self.fleet.now), error, self.fleet.now)

    @rule(number=st.integers(0, 7))
    def one_leaves_the_route_or_returns(self, number):
        number %= len(self.fleet.upstreams)
        held = self.fleet.route.of(f"h/{number}")
        new = None if held is not None else self.fleet.choice(number, number % 2)
        self.fleet.route.change({f"h/{number}": new})

    @rule(tried=st.lists(st.integers(0, 7), max_size=2))
    def a_request_begins(self, tried):
        tried = {f"h/{number}" for number in tried}
        busy = {one.service_id: one.in_flight for one in self.fleet.upstreams}
        may = self._may_serve(tried)
        try:
            route, choice = self.fleet.rotation.take(self.routes, tried, self.fleet.now)
        except NoHealthyRoute:
            assert may == set()
            assert all(self._kind(one) not in ("in", "rests", "full") for one in self._choices())
        except AllBusy:
            assert may == set()
        else:
            upstream = choice.upstream
            assert choice in route.choices
            assert upstream.service_id in may
            assert upstream.in_flight == busy[upstream.service_id] + 1
            self.under_way.append((upstream, upstream.breaker.epoch))
        after = {one.service_id: one.in_flight for one in self.fleet.upstreams}
        assert sum(after.values()) - sum(busy.values()) in (0, 1)

    @invariant()
    def quiet_says_that_all_are_whole(self):
        if hasattr(self, "fleet"):
            whole = all(one.breaker.whole for one in self.fleet.upstreams)
            assert self.fleet.rotation.quiet == whole

    def _choices(self):
        return [choice for route in self.routes for choice in route.choices]

    def _may_serve(self, tried):
        """Return the services that may be taken, as slowly and plainly as can be."""
        self._tried = tried
        for route in self.routes:
            out = sum(one.upstream.breaker.state is not State.IN for one in route.choices)
            panic = len(route.choices) >= 5 and out > 0.5 * len(route.choices) and not tried
            good = ("in", "fails") if panic else ("in",)
            tiers = [one.tier for one in route.choices if self._kind(one) in good]
            if not tiers:
                tiers = [one.tier for one in route.choices if self._kind(one) == "trial"]
                if tried or not tiers:
                    continue
            best = min(tiers)
            return {
                one.upstream.service_id
                for one in route.choices
                if (self._kind(one) in good and one.tier == best)
                or (self._kind(one) == "trial" and one.tier <= best and not tried)
            }
        for kind in ("rests", "trial"):
            for route in self.routes:
                if found := {
                    one.upstream.service_id for one in route.choices if self._kind(one) == kind
                }:
                    return found
        if tried:
            return set()
        for route in self.routes:
            if all(one.upstream.breaker.state is not State.IN for one in route.choices):
                for kind in ("fails", "silent"):
                    if found := {
                        one.upstream.service_id for one in route.choices if self._kind(one) == kind
                    }:
                        return found
        return set()

    def _kind(self, choice):
        upstream, breaker = choice.upstream, choice.upstream.breaker
        if upstream.service_id in self._tried:
            return "tried"
        if upstream.in_flight >= upstream.most:
            return "full" if breaker.state is State.IN else "out"
        if breaker.state is State.IN:
            return "rests" if breaker.rests_now else "in"
        if breaker.may_be_tried:
            return "trial"
        if not breaker.silent:
            return "fails"
        return "silent" if breaker.state is State.OUT else "out"


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
