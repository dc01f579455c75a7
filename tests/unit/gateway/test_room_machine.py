"""Whatever happens while requests wait: none is lost or sent twice, each in its turn."""

import asyncio
from functools import wraps

from geniehive.v1 import routing_service_pb2 as pb
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from control.api.errors import UpstreamError
from control.api.priorities import WORDS as PRIORITIES
from gateway.load import Elsewhere
from tests.unit.gateway.crowd import Crowd
from tests.unit.gateway.pushed import CHAT

SLOTS = {"h/0": 1, "h/1": 2, "h/2": 0}
MODELS = {"m": ["h/0", "h/1"], "n": ["h/1", "h/2"]}
GATED = [
    pb.STRATEGY_SCORED,
    pb.STRATEGY_LEAST_LOADED,
    pb.STRATEGY_ROUND_ROBIN,
    pb.STRATEGY_POWER_OF_TWO,
]
SERVICES = st.sampled_from(sorted(SLOTS))
SIZES = st.sampled_from([10, 10, 10, 3_000])  # bytes: a short prompt, and one that fills the gate
WHICH = st.integers(0, 1_000)


def in_a_loop(step):
    """Make a rule of `step` that runs in the machine's loop, and in no more than one turn of it."""

    @wraps(step)
    def run(self, *args, **kwargs):
        async def running():
            step(self, *args, **kwargs)

        self.loop.run_until_complete(running())

    return run


class Waiting(RuleBasedStateMachine):
    """Clients come and go, services work, fail, come and go, and control says otherwise."""

    strategies = st.sampled_from(GATED)
    strict = True  # who may be served first is

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.wrong = []

    @initialize(data=st.data())
    def open(self, data):
        strategy = data.draw(self.strategies)

        async def opening():
            self.crowd = Crowd(SLOTS, MODELS, strategy=strategy, sent=self._sent)

        self.loop.run_until_complete(opening())

    def _sent(self, guest, upstream):
        """Judge that a request is sent to a service, where it is counted already."""
        there = upstream.in_flight + upstream.elsewhere
        if upstream.in_flight == 1:
            there -= upstream.queue_depth  # which its node may tell long after it
        if upstream.gated and there > upstream.slots:
            self.wrong.append(f"{upstream.service_id} has more than its {upstream.slots} slots")
        if guest.over:
            self.wrong.append(f"{guest.number} was sent after its end")
        if len(guest.tried) != len(set(guest.tried)):
            self.wrong.append(f"{guest.number} was sent to {guest.tried}")
        # Who has no time to wait is sent to whoever may take it, rather than refused.
        if self.strict and len(guest.tried) == 1 and not guest.hurried:
            self.wrong += [
                f"{one.number} {one.priority} waits behind {guest.number} {guest.priority}"
                for one in self.crowd.waiting
                if one is not guest and not one.tried and goes_before(one, guest)
            ]

    def _some(self, guests, which):
        return guests[which % len(guests)]

    @rule(
        model=st.sampled_from(sorted(MODELS)),
        principal=st.sampled_from("ab"),
        priority=st.none() | st.sampled_from(sorted(PRIORITIES)),
        seconds=st.none() | st.sampled_from([0.5, 20.0]),
        size=SIZES,
        stream=st.booleans(),
    )
    @in_a_loop
    def come(self, model, principal, **request):
        self.crowd.come(model, principal, **request)

    @rule(count=st.integers(2, 6))
    @in_a_loop
    def come_together(self, count):
        for _ in range(count):
            self.crowd.come()

    @precondition(lambda self: self.crowd.waiting)
    @rule(which=WHICH)
    @in_a_loop
    def leave_the_room(self, which):
        self.crowd.leave(self._some(self.crowd.waiting, which))

    @precondition(lambda self: self.crowd.served)
    @rule(which=WHICH)
    @in_a_loop
    def leave_a_service(self, which):
        self.crowd.leave(self._some(self.crowd.served, which))

    @precondition(lambda self: self.crowd.served)
    @rule(which=WHICH)
    @in_a_loop
    def begin(self, which):
        self.crowd.begin(self._some(self.crowd.served, which))

    @precondition(lambda self: self.crowd.served)
    @rule(which=WHICH)
    @in_a_loop
    def finish(self, which):
        self.crowd.finish(self._some(self.crowd.served, which))

    @precondition(lambda self: self.crowd.served)
    @rule(which=WHICH, kind=st.sampled_from(["away", "lost", "busy"]))
    @in_a_loop
    def fail(self, which, kind):
        self.crowd.fail(self._some(self.crowd.served, which), kind)

    @rule(seconds=st.sampled_from([0.01, 1.0, 3.0, 11.0]))
    @in_a_loop
    def wait(self, seconds):
        self.crowd.wait(seconds)

    @rule()
    def settle(self):
        """Let everything happen that was begun: then nobody waits for who is free."""
        self.wait(0.1)
        self.loop.run_until_complete(self.crowd.turn())
        for guest in self.crowd.waiting:
            free = [one.upstream.service_id for one in self._pool(guest) if is_free(one.upstream)]
            assert not set(free) - set(guest.tried), f"{guest.number} waits"

    def _pool(self, guest):
        """Return the best choices of a client; none where these are not all that may serve it."""
        route = self.crowd.gateway.routes.resolve(CHAT, guest.model)
        return route.pool if self.strict and self.crowd.gateway.rotation.quiet else ()

    @rule(service=SERVICES, slots=st.sampled_from([0, 1, 2, 1_000_000]))
    @in_a_loop
    def resize(self, service, slots):
        if service in self.crowd.slots:
            self.crowd.push(slots={**self.crowd.slots, service: slots})

    @rule(service=SERVICES)
    @in_a_loop
    def go(self, service):
        self.crowd.push(slots={k: v for k, v in self.crowd.slots.items() if k != service})

    @rule(service=SERVICES)
    @in_a_loop
    def return_(self, service):
        self.crowd.push(slots={**self.crowd.slots, service: SLOTS[service]})

    @rule(service=SERVICES)
    @in_a_loop
    def fall(self, service):
        breaker = self.crowd.gateway.rotation.breaker(service)
        if (upstream := self.crowd.gateway.routes.upstreams.get(service)) is not None:
            breaker = upstream.breaker
        for _ in range(5):
            breaker.failed(breaker.epoch, UpstreamError("it fails"), self.crowd.now)

    @rule(service=SERVICES, in_flight=st.integers(0, 2), queue_depth=st.integers(0, 1))
    @in_a_loop
    def hear(self, service, in_flight, queue_depth):
        told = {service: Elsewhere(in_flight, queue_depth)}
        self.crowd.gateway.routes.set_elsewhere(told)
        self.crowd.gateway.room.poke()

    @rule(room=st.booleans())
    @in_a_loop
    def open_or_close_the_room(self, room):
        self.crowd.push(room=room)

    @invariant()
    def nothing_is_wrong(self):
        if not hasattr(self, "crowd"):
            return
        crowd = self.crowd
        assert self.wrong == []
        waiting, served = crowd.waiting, crowd.served
        assert {one.exchange for one in (*waiting, *served)} == crowd.gateway.active
        assert crowd.gateway.room.waiting == len(waiting)
        assert [one for one in crowd.guests if one.ends > 1] == []
        assert [one for one in crowd.guests if one.status == 500] == []
        counted = crowd.counters()
        assert counted["in flight"] == len(served)
        assert counted["under way"] == len(waiting) + len(served)
        assert counted["pending"] >= 0

    def teardown(self):
        if hasattr(self, "crowd"):
            self.loop.run_until_complete(self._end())
            counted = self.crowd.counters()
            assert not any(counted.values()), counted
            assert self.wrong == []
        self.loop.close()

    async def _end(self):
        """Let all services be there and well: everybody is served, or was told why not."""
        crowd = self.crowd
        crowd.push(slots=SLOTS)
        crowd.gateway.routes.set_elsewhere({})
        for upstream in crowd.gateway.routes.upstreams.values():
            upstream.breaker.forget()
        for _ in range(len(crowd.guests) + 1):
            crowd.gateway.room.poke()
            await crowd.turn()
            for guest in crowd.served:
                crowd.finish(guest)
            crowd.wait(0.2)
        assert crowd.waiting == []
        assert all(one.over for one in crowd.guests)


def is_free(upstream):
    """Return whether one more may be sent there."""
    return upstream.takes_one and upstream.breaker.whole


def goes_before(one, other):
    """Return whether `one` is to be sent before `other` if both wait for the same."""
    if one.model != other.model:
        return False
    if one.priority != other.priority:
        return PRIORITIES[one.priority] > PRIORITIES[other.priority]
    return False


class WaitingForTheBest(Waiting):
    """The same where each waits for the service that is expected to finish it first."""

    strategies = st.just(pb.STRATEGY_EXPECTED_COMPLETION)
    strict = False  # who waits for a fast service lets others have a slow one


STEPS = settings(max_examples=100, stateful_step_count=40, deadline=None)
Waiting.TestCase.settings = WaitingForTheBest.TestCase.settings = STEPS
TestWaiting = Waiting.TestCase
TestWaitingForTheBest = WaitingForTheBest.TestCase
