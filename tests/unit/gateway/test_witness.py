"""However a request goes, its witnesses see one end of it, and it is counted once."""

from random import Random

import pytest
from geniehive.v1 import routing_service_pb2 as pb

from control.api.errors import NotReady, UpstreamError
from gateway.answer_head import AnswerHead
from gateway.exchange import NEVER, Exchange
from gateway.request_head import RequestHead
from gateway.upstream import Unreachable
from tests.unit.gateway.pushed import CHAT
from tests.unit.gateway.test_exchange import GOOD, Asked, World

pytestmark = pytest.mark.anyio

RUNS = 1_500
STEPS = 12
BODIES = [*[GOOD] * 8, b"no JSON", b'{"model":"nobody"}']
JSON, EVENTS = {b"content-type": b"application/json"}, {b"content-type": b"text/event-stream"}
HEADS = [(200, EVENTS), (200, EVENTS), (200, JSON), (503, JSON), (500, JSON), (400, JSON)]
CHUNKS = [b"", b"{}", b'{"error":1}', b"data: {}\n\n", b"data: [DONE]\n\n", b"no JSON"]


class Engine(Asked):
    """A service whose answers are made up as they come; `live` while one is awaited."""

    live = headed = False

    def call(self, receiver, *_):
        self.asked += 1
        self.receiver, self.live, self.headed = receiver, True, False
        return self

    def cancel(self):
        self.live = False

    def pause(self):
        pass

    resume = pause

    def step(self, random):
        """Say something, as `Receiver` has it."""
        if random.random() < 0.2:
            self.live = False
            error = UpstreamError("cut") if self.headed else Unreachable("away")
            self.receiver.upstream_failed(error)
        elif not self.headed and random.random() < 0.2:
            self.live = False
            self.receiver.upstream_answer(AnswerHead(200, JSON), random.choice(CHUNKS))
        elif not self.headed:
            self.headed = True
            head = AnswerHead(*random.choice(HEADS), framed=random.random() < 0.5)
            self.receiver.upstream_head(head)
        else:
            self.live = random.random() < 0.6
            self.receiver.upstream_data(random.choice(CHUNKS), done=not self.live)


class Client:
    """Sees that nothing comes after the last word; with `[DONE]` it may leave."""

    ended = answered = False

    def write(self, *given):
        assert not self.ended
        self.answered |= given[-1] == b"data: [DONE]\n\n"

    start = write

    def end(self, *given):
        self.write(*given or [b""])
        self.ended = True

    respond = break_off = cut = end


class Seen:
    """A `Witness` that remembers what it saw."""

    def __init__(self, *_):
        self.attempts = self.failures = 0
        self.ends = []

    def named(self, *_):
        assert not self.ends

    first_byte = waited = named

    def attempt(self, upstream, asset):
        assert not self.ends
        self.attempts += 1
        return b""

    def failed(self, error):
        assert not self.ends
        self.failures += 1

    def over(self, status, usage, error):
        self.ends.append("answered" if error is None else "refused")

    def left(self, status):
        self.ends.append("left")


def disturb(exchange, random, clock):
    """Do what a door, or time, does to a request at any moment."""
    clock[0] += random.choice([0, 1, 400])
    if clock[0] > getattr(exchange, "deadline", NEVER):
        exchange.expire()
    what = [exchange.cancel, exchange.pause, exchange.resume]
    random.choice([*what, lambda: exchange.refuse(NotReady("stopping"))])()


async def test_every_request_ends_once_for_all_who_see_it(caplog):
    random = Random(7)
    ends = set()
    for _ in range(RUNS):
        world = World(*range(random.randint(1, 3)), strategy=pb.STRATEGY_SCORED, upstream=Engine)
        clock, seen, gateway = [0.0], Seen(), world.gateway
        gateway.clock = lambda clock=clock: clock[0]
        gateway.witnesses = (lambda *_, seen=seen: seen,)
        client = Client()
        exchange = Exchange(gateway, client, RequestHead(CHAT, b"/v1/chat/completions", []))
        if random.random() < 0.9:
            exchange.run(random.choice(BODIES))
        for _ in range(STEPS):
            asked = [one for one in world.services if one.live]
            assert len(asked) <= 1
            if random.random() < 0.2:
                disturb(exchange, random, clock)
            elif asked:
                asked[0].step(random)
        exchange.cancel()

        (end,) = seen.ends
        counted = gateway.meter.take(9)
        assert seen.attempts == sum(
            one.answered + one.abandoned + sum(one.errors.values()) for one in counted
        )
        assert seen.failures == sum(sum(one.errors.values()) for one in counted)
        assert sum(gateway.refused.values()) == (end == "refused")
        assert client.ended or end == ("answered" if client.answered else "left")
        assert not gateway.active
        assert not any(one.live for one in world.services)
        assert not any(world.in_flight())
        ends.add((end, min(seen.attempts, 2)))

    assert "bug" not in caplog.text
    told = {("refused", 0), ("refused", 1), ("refused", 2), ("left", 0), ("left", 1), ("left", 2)}
    assert ends == told | {("answered", 1), ("answered", 2)}
