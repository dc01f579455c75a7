"""What is beyond what a gateway takes on is refused at once, as JSON, and holds nothing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from gateway.listening import MAX_UNSENT
from tests.fakes import answers
from tests.fakes.answers import Hang
from tests.fakes.engine import Engine
from tests.integration.gateway.front import CHAT, Front, request
from tests.integration.gateway.front import front as serve

pytestmark = pytest.mark.anyio

GOOD = b'{"model":"small"}'
SLOW = {"request_head": 0.4, "request_body": 0.6}


async def until(fact: Callable[[], bool]) -> None:
    """Wait for a fact of the gateway, which sends no events."""
    async with asyncio.timeout(30):
        while not fact():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def head_of(length: int) -> bytes:
    """Return the head of a request whose body is said to be so long."""
    return request(GOOD).replace(b"Content-Length: 17", b"Content-Length: %d" % length)[:-17]


async def refused(front: Front, wire: bytes) -> bytes:
    """Send `wire`, which is not a whole request, and return the answer to it."""
    reader, writer = await front.connect()
    writer.write(wire)
    try:
        async with asyncio.timeout(5):
            return await reader.readuntil(b"}}")
    finally:
        writer.close()


async def test_a_request_too_many_is_refused_by_its_head(door: str, engine: Engine):
    engine.script = lambda _: [Hang()]
    async with serve(door, limits={"requests": 1}) as front:
        front.offer(engine.address)
        _, writer = await front.connect()
        writer.write(request(GOOD))
        await engine.request()
        answer = await refused(front, head_of(1_000_000))

        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in answer
        assert b"1 requests are under way here, as many as one process takes" in answer
        assert len(engine.requests) == 1
        writer.transport.abort()
        await front.idle()
        await until(lambda: front.gateway.admission.under_way == 0)
        engine.script = lambda _: answers.document({"ok": 1})
        assert (await front.post(GOOD)).status_code == 200


async def test_a_client_that_is_refused_keeps_its_connection(door: str, engine: Engine):
    engine.script = lambda _: [Hang()]
    async with serve(door, limits={"requests": 1}) as front:
        front.offer(engine.address)
        _, first = await front.connect()
        first.write(request(GOOD))
        await engine.request()
        reader, writer = await front.connect()
        async with asyncio.timeout(30):
            for cut in (5, len(request(GOOD)), -5):  # the second head is known, and the third
                writer.write(request(GOOD)[:cut])
                await asyncio.sleep(0.02)
                writer.write(request(GOOD)[cut:])
                answer = await reader.readuntil(b"}}")
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"connection: close" not in answer
            first.transport.abort()
            await front.idle()
            engine.script = lambda _: answers.document({"ok": {}})
            writer.write(request(GOOD))
            assert (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_what_is_no_inference_is_never_refused_so(door: str, engine: Engine):
    engine.script = lambda _: [Hang()]
    async with serve(door, limits={"requests": 1}) as front:
        front.offer(engine.address)
        _, writer = await front.connect()
        writer.write(request(GOOD))
        await engine.request()
        async with httpx.AsyncClient(base_url=front.url, trust_env=False) as client:
            for path in ("/health", "/metrics", "/v1/models"):
                assert (await client.get(path)).status_code == 200
        writer.transport.abort()


async def test_a_key_has_its_part_and_no_more(door: str, engine: Engine):
    engine.script = lambda _: [Hang()]
    async with serve(door, limits={"requests_per_key": 2}) as front:
        front.offer(engine.address)
        front.allow("sk-one", "sk-two")
        clients = []
        for number in range(2):
            clients.append(await front.connect())
            clients[-1][1].write(request(GOOD, "Authorization: Bearer sk-one"))
            await engine.request(number + 1)
        told = await front.post(GOOD, authorization="Bearer sk-one")
        engine.script = lambda _: answers.document({"ok": 1})
        other = await front.post(GOOD, authorization="Bearer sk-two")

        assert told.status_code == 429
        assert told.headers["retry-after"] == "1"
        assert told.json()["error"]["code"] == "all_busy"
        assert "has 2 requests under way, as many as one key may" in told.text
        assert other.status_code == 200
        for _, writer in clients:
            writer.transport.abort()
        await until(lambda: front.gateway.admission.under_way == 0)


async def test_requests_that_fail_in_any_way_leave(door: str, engine: Engine):
    async with serve(door, timeouts=SLOW) as front:
        front.offer(engine.address)
        await front.post(GOOD)
        await front.post(b'{"model":"nobody"}')
        await front.post(b"{")
        await front.post(GOOD, content_type="text/plain")
        await front.raw(request(GOOD)[:-5])
        with suppress(ConnectionError):  # it is told so, and may still be sending
            await front.raw(request(b"x" * 11 * (1 << 20), "Connection: close"))
        _, writer = await front.connect()
        writer.write(request(GOOD)[:-5])
        await until(lambda: front.gateway.admission.under_way == 1)
        writer.transport.abort()

        await until(lambda: front.gateway.admission.under_way == 0)
        assert front.gateway.admission.held == 0


async def test_bodies_on_their_way_fill_the_memory(door: str, engine: Engine):
    async with serve(door, limits={"memory": 1 << 20}) as front:
        front.offer(engine.address)
        clients = [await front.connect() for _ in range(3)]
        for _, writer in clients:
            writer.write(head_of(400_000) + b"x" * 300_000)
        await until(lambda: front.gateway.admission.held == 900_000)
        answer = await refused(front, head_of(200_000) + b"x" * 150_000)

        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in answer
        assert b"fill the 1 MiB that this gateway has for them" in answer
        assert front.gateway.admission.held == 900_000
        for _, writer in clients:
            writer.transport.abort()
        await until(lambda: front.gateway.admission.held == 0)
        assert (await front.post(GOOD)).status_code == 200


async def test_a_body_that_will_not_fit_is_refused_by_its_head(door: str, engine: Engine):
    async with serve(door, limits={"memory": 1 << 20}) as front:
        front.offer(engine.address)
        answer = await refused(front, head_of(2_000_000))

        assert answer.startswith(b"HTTP/1.1 503 ")


async def test_a_whole_answer_that_nobody_reads_is_held_as_long_as_a_stream(
    door: str, engine: Engine
):
    engine.script = lambda _: answers.document({"text": "x" * 12_000_000})
    async with serve(door, timeouts={"idle": 0.5}) as front:
        front.offer(engine.address)
        _, writer = await front.connect()
        writer.transport.pause_reading()
        writer.write(request(GOOD))
        await until(lambda: front.gateway.admission.held > 1_000_000)

        await until(lambda: not front.connections)
        assert front.gateway.admission.held == 0
        assert not front.gateway.incoming
        writer.close()


async def test_services_with_all_they_may_have_are_busy(door: str, engine: Engine):
    engine.script = lambda _: [Hang()]
    async with serve(door, limits={"requests_per_service": 2}) as front:
        front.offer(engine.address)
        clients = []
        for number in range(2):
            clients.append(await front.connect())
            clients[-1][1].write(request(GOOD))
            await engine.request(number + 1)
        told = await front.post(GOOD)

        assert told.status_code == 429
        assert told.json()["error"]["code"] == "all_busy"
        assert told.headers["retry-after"] == "1"
        assert "small: 2 requests under way, as many as may be; retry in 1 s" in told.text
        assert len(engine.requests) == 2
        for _, writer in clients:
            writer.transport.abort()
        await front.idle()
        engine.script = lambda _: answers.document({"ok": 1})
        assert (await front.post(GOOD)).status_code == 200


async def test_a_request_waits_for_a_slot_but_not_behind_too_many(door: str, engine: Engine):
    engine.script = lambda _: [Hang()]
    async with serve(door, limits={"requests_per_slot": 2}) as front:
        front.offer(engine.address)
        for upstream in front.gateway.routes.upstreams.values():
            upstream.resize(1)
        clients = []
        for number in range(2):
            clients.append(await front.connect())
            clients[-1][1].write(request(GOOD))
            await engine.request(number + 1)
        told = await front.post(GOOD)

        assert told.status_code == 429
        assert "1 slot of small busy, 1 waiting; retry in 1 s" in told.text
        for _, writer in clients:
            writer.transport.abort()


async def test_connections_too_many_are_told_so(door: str, engine: Engine):
    async with serve(door, limits={"connections": 2}) as front:
        front.offer(engine.address)
        kept = [await front.connect() for _ in range(2)]
        await until(lambda: len(front.connections) == 2)
        answer = await front.raw(b"")

        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\ncontent-type: application/json\r\n" in answer
        assert b"\r\nretry-after: 1\r\n" in answer
        for _, writer in kept:
            writer.close()
        await until(lambda: not front.connections)
        assert (await front.post(GOOD)).status_code == 200


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (b"", b""),
        (f"POST {CHAT} HTTP/1.1\r\n".encode(), b"HTTP/1.1 408 "),
        (request(GOOD)[:-5], b"HTTP/1.1 408 "),
    ],
    ids=["silence", "half a head", "half a body"],
)
async def test_who_does_not_finish_is_told_so(door: str, engine: Engine, wire: bytes, said: bytes):
    async with serve(door, timeouts=SLOW) as front:
        front.offer(engine.address)
        reader, writer = await front.connect()
        writer.write(wire)
        async with asyncio.timeout(30):
            answer = await (reader.readuntil(b"}}") if said else reader.read())
        writer.close()

        assert answer.startswith(said)
        await until(lambda: not front.connections)
        assert not front.gateway.incoming
        assert (await front.post(GOOD)).status_code == 200


async def test_the_system_holds_little_that_a_client_has_not_taken(front: Front, engine: Engine):
    """What it holds is no memory of ours, but an engine would not see that nobody reads."""
    engine.script = lambda _: answers.events([answers.data({"text": "x" * 60_000})] * 1_000)
    _, writer = await front.connect()
    writer.transport.pause_reading()
    writer.write(request(GOOD))
    stalled = await engine.request()
    (connection,) = front.connections
    await until(lambda: connection.flow.write_paused)

    # 60 MB are on their way, and yet the gateway has no more than a read and a full buffer.
    assert connection.transport.get_write_buffer_size() < 3 * MAX_UNSENT
    assert front.gateway.admission.held < 3 * MAX_UNSENT
    assert not stalled.answered.is_set()
    writer.transport.abort()
