"""When a client leaves, nobody goes on working for it."""

import asyncio
import socket
import struct

import pytest

from tests.fakes import answers
from tests.fakes.answers import Hang, Pause
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import Front, request

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["direct", "relay"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


GOAL_SECONDS = 1.0
BOUND_SECONDS = 10 * GOAL_SECONDS  # a busy machine must not fail a test

PHASES = {
    "before headers": [Hang()],
    "before the first token": [*answers.events([])[:1], Hang()],
    "mid-stream": [*answers.events([answers.data({"n": 1})])[:3], Hang()],
    "within a document": answers.cut(answers.document({"text": "x" * 100}), 150, Hang()),
}


# What tells the client that the phase is reached; the others it cannot tell from silence.
SEEN_BY_CLIENT = {"mid-stream": b"\n\n"}


def leave(writer: asyncio.StreamWriter, how: str) -> None:
    if how == "RST":
        peer: socket.socket = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    elif how == "half-close":
        writer.write_eof()
    else:
        writer.close()


@pytest.mark.parametrize("how", ["FIN", "RST", "half-close"])
@pytest.mark.parametrize("phase", PHASES)
async def test_the_engine_is_freed(front: Front, engine: Engine, phase: str, how: str):
    engine.script = lambda _: PHASES[phase]
    reader, writer = await front.connect()
    writer.write(request(b'{"model":"small"}'))
    arrived = await engine.request()
    if phase in SEEN_BY_CLIENT:
        async with asyncio.timeout(30):
            await reader.readuntil(SEEN_BY_CLIENT[phase])
    loop = asyncio.get_running_loop()
    left_at = loop.time()
    leave(writer, how)

    await arrived.connection.closed_within(BOUND_SECONDS)
    assert arrived.connection.by_peer
    assert loop.time() - left_at < BOUND_SECONDS
    await front.idle()
    writer.close()


async def test_a_client_that_leaves_within_its_own_request_reaches_no_engine(
    front: Front, engine: Engine
):
    _, writer = await front.connect()
    writer.write(request(b'{"model":"small"}')[:-5])
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await front.post({"model": "small"})).status_code == 200
    assert len(engine.requests) == 1


async def test_a_slow_reader_holds_back_its_engine_and_nobody_else(front: Front, engine: Engine):
    big = answers.data({"text": "x" * 60_000})
    endless = [*answers.events([big] * 400)]
    engine.script = lambda _: endless
    reader, writer = await front.connect()
    writer.transport.pause_reading()
    writer.write(request(b'{"model":"small"}'))
    slow = await engine.request()
    last = -1
    async with asyncio.timeout(20):
        while slow.sent != last:  # until the engine is not read any further
            last = slow.sent
            await asyncio.sleep(0.3)

    assert 0 < last < len(answers.sent(endless)) / 2
    engine.script = openai(["small"])
    assert (await front.post({"model": "small"})).status_code == 200
    writer.transport.resume_reading()
    async with asyncio.timeout(20):
        while not slow.answered.is_set():
            await reader.read(1 << 20)
    assert slow.sent == len(answers.sent(endless))
    writer.close()


async def test_many_cancelled_requests_leave_nothing_behind(front: Front, engine: Engine):
    engine.script = lambda _: [Pause(0.02), *answers.events([answers.data({"n": 1})] * 3, 0.02)]
    gone = []
    for number in range(60):
        _, writer = await front.connect()
        writer.write(request(b'{"model":"small"}'))
        await asyncio.sleep(number % 7 * 0.01)
        leave(writer, ("FIN", "RST")[number % 2])
        gone.append(writer)
    await front.idle()

    assert front.gateway.loads() == {}
    await engine.until(lambda: engine.in_flight == 0, 10)
    engine.script = openai(["small"])
    assert (await front.post({"model": "small"})).status_code == 200
