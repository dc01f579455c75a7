"""With heads that are remembered, the same is answered and asked as with a parser alone."""

import asyncio
import re
from collections import deque
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import httptools
import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway import connection, door
from gateway.answer_head import answer_memo
from gateway.config import Config
from gateway.connection import Connection
from gateway.door import Door
from gateway.gateway import Gateway
from gateway.memo import PROBE, Memo
from gateway.request_head import request_memo
from gateway.upstream import Upstream
from tests.integration.gateway.front import Control, Front, request

pytestmark = pytest.mark.anyio

GOOD = b'{"model":"small"}'
MODELS = b"GET /v1/models HTTP/1.1\r\nHost: t\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PLAIN = JSON + b"Content-Length: %d\r\n\r\n"
CLOSE = b""
STEPS = 30  # of the loop, until everything that can happen has happened


class NoMemo(Memo[Any]):
    """Knows nothing, and learns nothing."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)

    def learn(self, data: bytes) -> None:
        pass


class Wire(asyncio.Transport):
    """A transport that leads nowhere. sent: what was written; far: who is told of it."""

    def __init__(self, protocol: Any, far: Any = None) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.sent = b""
        self.paused = False
        self._protocol = protocol
        self._far = far
        self._closing = self._lost = False

    def write(self, data: bytes) -> None:
        if not self._closing:
            self.sent += data
            if self._far is not None:
                self._far.parser.feed_data(data)

    def write_eof(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self.lose)

    abort = close

    def lose(self) -> None:
        self._closing = True
        if not self._lost:
            self._lost = True
            self._protocol.connection_lost(None)


class Far:
    """An engine at the other end of one connection. due: segments, or `CLOSE`."""

    def __init__(self, world: "World", near: Connection) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.near = near
        self.due: deque[bytes] = deque()
        self.wire = Wire(near, self)
        self._world = world
        self._body = b""

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        asked = self._world.asked
        asked.append(self._body)
        # The same request gets the same answer, however it came here.
        self.due += answer(Random(f"{self._world.seed} {len(asked)}"), self._body)

    def step(self) -> bool:
        """Send what is due next; return whether something was."""
        if not self.due or self.wire.is_closing() or self.wire.paused:
            return False
        data = self.due.popleft()
        if data == CLOSE:
            self.wire.close()
        else:
            self.near.data_received(data)
        return True


def cut(random: Random, data: bytes, most: int) -> list[bytes]:
    """Return `data` in some segments, none of them empty."""
    cuts = sorted(random.randrange(len(data)) for _ in range(random.randrange(most)))
    return [data[start:end] for start, end in pairwise([0, *cuts, len(data)]) if start < end]


def answer(random: Random, body: bytes) -> list[bytes]:
    content = b'{"was":%d}' % len(body)
    whole = PLAIN % len(content) + content
    named = b"X-Length: %d\r\nContent-Length: %d\r\n\r\n%b"
    chunks = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    if random.random() < 0.1:
        return [PLAIN % len(whole), whole]  # an answer that holds another one
    data = random.choice(
        [
            *[whole] * 6,
            b"HTTP/1.1 100 Continue\r\n\r\n" + whole,
            whole + whole,
            whole + b"more",
            b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
            JSON + chunks % (len(content), content),
            JSON + named % (len(content), PROBE, content),
        ]
    )
    return [*cut(random, data, 3), *random.choice([[], [], [], [CLOSE]])]


def asking(random: Random) -> bytes:
    """Return what a client may send for one request; or more, or less than that."""
    body = b'{"model":"small","x":"%b"}' % (b"x" * random.choice([0, 1, 9, 900]))
    inner = request(GOOD) + body
    plain = request(body)
    none = plain.replace(b"Content-Length: ", b"X-Length: ")
    return random.choice(
        [
            *[plain] * 6,
            request(body, f"X-Api-Key: {random.choice(['right', 'wrong'])}"),
            request(inner),
            request(b""),
            MODELS,
            b"\r\n",
            plain.replace(b"Content-Length: ", b"Content-Length: 00"),
            none.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % PROBE),
            none.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body))
            + b"\r\n0\r\n\r\n",
            request(body, "Expect: 100-continue"),
            request(body, "Connection: close"),
            random.choice([b"\x00garbage", plain[:-5]]),
        ]
    )


class World:
    """A gateway, its clients and its engines, of which each seed makes another."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked: list[bytes] = []
        self.answered: list[tuple[bytes, bool]] = []
        self._now = 0.0
        self._fars: list[Far] = []
        self._gateway = Gateway(Config(), clock=lambda: self._now, random=lambda: 0.5)
        config = uvicorn.Config(app, http=partial(Door, self._gateway), ws="none", lifespan="off")
        config.load()
        self._door = partial(config.http_protocol_class, config, ServerState(), {})
        front = Front(self._gateway, Control(), 0, "protocol")
        front.offer("127.0.0.1:1", "127.0.0.1:2")
        front.allow(*["right"] * (seed % 4 == 0))
        for upstream in self._gateway.routes.upstreams.values():
            upstream.connect = partial(self._connect, upstream)  # type: ignore[method-assign]

    async def _connect(self, upstream: Upstream) -> Connection:
        far = Far(self, Connection(upstream, 0))
        far.near.connection_made(far.wire)
        self._fars.append(far)
        return far.near

    async def play(self) -> None:
        random = Random(self.seed)
        for _ in range(3):
            await self._client(random, [asking(random) for _ in range(random.randint(1, 6))])

    async def _client(self, random: Random, messages: list[bytes]) -> None:
        one = self._door()
        wire = Wire(one)
        one.connection_made(wire)
        if random.random() < 0.3:
            messages = [b"".join(messages)]
        for data in [part for message in messages for part in cut(random, message, 3)]:
            happens = random.random()
            if wire.is_closing():
                break
            if happens < 0.05:
                one.pause_writing()
            elif happens < 0.2 and one.flow.write_paused:
                one.resume_writing()
            elif happens < 0.25:
                self._now += random.choice([1, 11, 61])
                self._gateway.sweep(self._now)
            elif happens < 0.27:
                one.shutdown()
            elif happens < 0.3:
                wire.lose()
            await settled()
            if not wire.is_closing() and not wire.paused:
                one.data_received(data)
            await self._engines(random.choice([0, 0, 1, 5, 50]))
        if not wire.is_closing() and one.flow.write_paused:
            one.resume_writing()
        await self._engines(1_000)
        self.answered.append((named(wire.sent), wire.is_closing()))
        wire.lose()
        await self._engines(1_000)

        assert not self._gateway.active
        assert not self._gateway.incoming
        assert not self._gateway.loads()

    async def _engines(self, steps: int) -> None:
        """Let engines send so many segments."""
        await settled()
        for _ in range(steps):
            if not any(far.step() for far in self._fars):
                return
            await settled()


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"of the app"})


async def settled() -> None:
    for _ in range(STEPS):
        await asyncio.sleep(0)


def named(answered: bytes) -> bytes:
    """Return `answered` without what is never twice the same."""
    return re.sub(rb"req_[0-9a-f]+|overhead-ms: [0-9.]+", b"", answered)


async def outcome(seed: int) -> tuple[Any, ...]:
    world = World(seed)
    await world.play()
    counted = [(one.answered, one.abandoned, one.errors) for one in world._gateway.meter.take(9)]
    return world.answered, world.asked, counted


@pytest.mark.parametrize("seed", range(80))
async def test_a_memory_of_heads_changes_nothing(seed: int, monkeypatch):
    """Whatever clients and engines send, however it is cut, and whenever they leave."""
    monkeypatch.setattr(door.Door, "_memo", NoMemo())
    monkeypatch.setattr(connection, "_memo", NoMemo())
    expected = await outcome(seed)
    monkeypatch.setattr(door.Door, "_memo", request_memo())
    monkeypatch.setattr(connection, "_memo", answer_memo())

    for _ in range(4):  # while it learns, and when it knows
        assert await outcome(seed) == expected
