"""Looking at a service that is out."""

import asyncio
import random

import pytest

from control.api.errors import UpstreamBadResponse, UpstreamError, UpstreamTimeout
from gateway import checkup
from gateway.breaker import Breaker, State
from gateway.checkup import Checkups, fault_of
from gateway.config import Ejection
from gateway.relay import Relay
from gateway.rotation import Rotation
from gateway.upstream import Origin, Unreachable, Upstream
from tests.fakes import answers
from tests.fakes.answers import Close, Hang, Send
from tests.fakes.engine import Engine

RULES = Ejection(failures=1, pause=10.0)

pytestmark = pytest.mark.anyio


def upstream(engine, now=lambda: 0.0, **fields):
    origin = Origin("127.0.0.1", engine.port, "/x", **fields)
    return Upstream("h/e", origin, now, Breaker(RULES, random.random, lambda: None))


@pytest.mark.parametrize("status", [200, 401, 404, 429])
async def test_any_answer_below_500_shows_that_it_works(status):
    async with Engine(lambda _: [Send(answers.head(status))]) as engine:
        assert await fault_of(upstream(engine)) is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ([Send(answers.head(500))], UpstreamError),
        ([Send(answers.head(503))], UpstreamError),
        ([Close()], UpstreamError),
        ([Send(b"SSH-2.0\r\n")], UpstreamBadResponse),
        ([Hang()], UpstreamTimeout),
        ([Send(b"HTTP/1.1 200 OK\r\n"), Hang()], UpstreamTimeout),
    ],
    ids=["500", "503", "closes", "not HTTP", "hangs", "hangs in its head"],
)
async def test_what_is_no_answer_is_a_fault(answer, kind, monkeypatch):
    monkeypatch.setattr(checkup, "SECONDS", 0.05)
    async with Engine(lambda _: answer) as engine:
        fault = await fault_of(upstream(engine))

        assert isinstance(fault, kind)
        await engine.until(lambda: not engine.open, 5.0)


async def test_a_port_where_nobody_listens_is_a_fault():
    async with Engine(lambda _: []) as engine:
        gone = upstream(engine)

    assert type(await fault_of(gone)) is Unreachable


async def test_it_asks_for_the_models_as_requests_do_and_leaves_no_connection():
    whole = answers.head(200, [("Content-Length", "2")]) + b"{}"
    async with Engine(lambda _: [Send(whole)]) as engine:
        asked = upstream(engine, api_key="k")

        assert await fault_of(asked) is None

        await engine.until(lambda: not engine.open, 5.0)
        [request] = engine.requests
        assert (request.method, request.target) == ("GET", "/x/v1/models")
        assert request.header("authorization") == "Bearer k"
        assert request.header("host") == engine.address
        assert asked.idle == 0


class Looking:
    """Checkups of one engine, and the time they think it is."""

    def __init__(self, engine):
        self.now = 0.0
        self.rotation = Rotation(RULES, random.random)
        self.checkups = Checkups(self.rotation, lambda: self.now)
        self.upstream = upstream(engine)
        self.breaker = self.upstream.breaker = self.rotation.breaker("h/e")

    def fall(self):
        self.breaker.failed(self.breaker.epoch, UpstreamTimeout("x"), self.now)
        assert self.breaker.state is State.OUT

    def look(self):
        self.checkups.begin({"h/e": self.upstream}, self.now)


async def test_a_service_that_answers_after_its_pause_may_be_tried():
    async with Engine(lambda _: [Send(answers.head(404))]) as engine:
        looking = Looking(engine)
        looking.fall()
        looking.look()
        assert not engine.requests

        looking.now = 11.0
        looking.look()
        looking.look()  # there is one question at a time
        await asyncio.wait(looking.checkups._under_way.values())

        assert looking.breaker.may_be_tried
        assert len(engine.requests) == 1


async def test_a_service_that_moved_is_asked_at_once():
    """What failed was another server, or another way to it."""
    async with Engine(lambda _: [Send(answers.head(404))]) as engine:
        looking = Looking(engine)
        looking.fall()
        looking.upstream.move(Origin("127.0.0.1", engine.port, relay=Relay("lab", 1, "t0ken")))

        assert looking.breaker.whole


async def test_a_checkup_that_is_cut_short_is_made_again():
    async with Engine(lambda _: [Hang()]) as engine:
        looking = Looking(engine)
        looking.fall()
        looking.now = 11.0
        looking.look()
        await engine.until(lambda: len(engine.requests) == 1, 5.0)
        [task] = looking.checkups._under_way.values()
        task.cancel()
        await asyncio.wait([task])

        looking.now = 22.0
        looking.look()
        await engine.until(lambda: len(engine.requests) == 2, 5.0)


async def test_who_left_the_table_is_forgotten_when_the_pause_is_over():
    async with Engine(lambda _: []) as engine:
        looking = Looking(engine)
        looking.fall()

        looking.checkups.begin({}, 9.0)
        assert not looking.rotation.quiet
        looking.checkups.begin({}, 11.0)

        assert looking.rotation.quiet
        assert looking.breaker.whole


async def test_who_left_the_table_before_anybody_tried_it_is_forgotten():
    async with Engine(lambda _: [Send(answers.head(404))]) as engine:
        looking = Looking(engine)
        looking.fall()
        looking.now = 11.0
        looking.look()
        await asyncio.wait(looking.checkups._under_way.values())
        assert looking.breaker.may_be_tried

        looking.checkups.begin({}, 22.0)

        assert looking.rotation.quiet
