"""How requests stand on the wire. Of the protocol door alone: behind ASGI the server frames."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fakes import answers
from tests.fakes.answers import Hang
from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front, request
from tests.integration.gateway.front import front as serve

pytestmark = pytest.mark.anyio

GOOD = b'{"model":"small"}'
MODELS = b"GET /v1/models HTTP/1.1\r\nHost: t\r\n\r\n"


@pytest.fixture
def door() -> str:
    return "protocol"


@pytest.fixture
async def front(door: str, engine: Engine) -> AsyncIterator[Front]:
    async with serve(door) as started:
        started.offer(engine.address)
        yield started


async def test_pipelined_requests_are_answered_in_order(front: Front, engine: Engine):
    """Fast ones wait for slow ones, and inference mixes with the rest."""
    engine.script = lambda asked: [
        answers.Pause(0.05 if len(engine.requests) % 2 else 0),
        *answers.document({"number": asked.json()["number"]}),
    ]
    wire = b"".join(
        request(b'{"model":"small","number":%d}' % number) + (MODELS if number % 5 == 0 else b"")
        for number in range(50)
    )

    answer = await front.raw(wire + request(b"{}", "Connection: close"))

    places = [answer.index(b'{"number": %d}' % number) for number in range(50)]
    assert places == sorted(places)
    assert answer.count(b'"object":"list"') == 10
    assert answer.count(b"HTTP/1.1 ") == 61
    assert answer.rindex(b"'model' is missing") > places[-1]


async def test_a_thousand_pipelined_refusals_do_not_nest(front: Front):
    answer = await front.raw(request(b"{}") * 1_000 + request(b"{}", "Connection: close"))

    assert answer.count(b"HTTP/1.1 400 ") == 1_001


async def test_a_pipelining_client_that_leaves_frees_the_engine(front: Front, engine: Engine):
    engine.script = lambda _: [Hang()]
    _, writer = await front.connect()
    writer.write(request(GOOD) * 3 + MODELS)
    arrived = await engine.request()
    writer.close()

    await arrived.connection.closed_within(10)
    assert len(engine.requests) == 1


async def test_the_body_is_invited(front: Front):
    reader, writer = await front.connect()
    wire = request(GOOD, "Expect: 100-continue", "Connection: close")
    writer.write(wire.removesuffix(GOOD))
    async with asyncio.timeout(10):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(GOOD)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()


async def test_a_body_that_will_be_too_large_is_not_invited(front: Front):
    answer = await front.raw(
        request(b"", "Expect: 100-continue").replace(
            b"Content-Length: 0", b"Content-Length: 99999999"
        )
    )

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


@pytest.mark.parametrize("size", [1, 7, 5_000])
async def test_a_chunked_body_is_the_same_body(front: Front, engine: Engine, size: int):
    body = b'{"model":"small","x":"%b"}' % (b"y" * 3_000)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    wire = request(b"", "Connection: close").replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)

    assert b"HTTP/1.1 200 OK" in await front.raw(wire + framed + b"0\r\n\r\n")
    assert (await engine.request()).body == body


async def test_any_slicing_of_a_request_is_the_same_request(front: Front, engine: Engine):
    reader, writer = await front.connect()
    for byte in request(GOOD, "Connection: close"):
        writer.write(bytes([byte]))
        await asyncio.sleep(0)

    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()


@pytest.mark.parametrize("stream", [b"false", b"true"])
async def test_an_old_client_gets_no_chunks(front: Front, stream: bytes):
    answer = await front.raw(request(b'{"model":"small","stream":%b}' % stream, version="1.0"))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"connection: close" in head
    assert body.startswith(b"data: " if stream == b"true" else b'{"id"')
    assert stream == b"false" or body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "wire",
    [
        b"\x16\x03\x01\x00\x05hello",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nbad header\r\n\r\n",
        request(GOOD, "Transfer-Encoding: chunked"),
        request(GOOD, "Content-Length: 3"),
        request(GOOD).replace(b"Content-Length: 17", b"Content-Length: -1"),
        request(GOOD).replace(b"Content-Length: 17", b"Content-Length: 1_7"),
        request(GOOD).replace(b"\r\nHost: t", b"\r\nHost: t\r\n folded"),
        request(GOOD).replace(b"Host:", b"Host :"),
    ],
    ids=lambda wire: repr(wire[-60:]),
)
async def test_what_is_not_http_is_refused_and_closed(front: Front, engine: Engine, wire: bytes):
    answer = await front.raw(wire)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b'"code":"invalid_value"' in answer
    assert not engine.requests


async def test_garbage_behind_a_request_never_stands_within_its_answer(
    front: Front, engine: Engine
):
    engine.script = lambda _: [Hang()]
    reader, writer = await front.connect()
    writer.write(request(GOOD))
    arrived = await engine.request()
    writer.write(b"\x00garbage\r\n\r\n")

    async with asyncio.timeout(10):
        assert await reader.read() == b""
    await arrived.connection.closed_within(10)
    writer.close()


async def test_our_own_bug_is_not_the_clients_fault(front: Front, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(front.gateway.routes, "resolve", broken)
    answer = await front.raw(request(GOOD, "Connection: close"))

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"internal_error" in answer
    assert b"secret detail" not in answer


async def test_stopping_finishes_what_is_under_way(front: Front, engine: Engine):
    engine.script = lambda _: answers.events([answers.data({"n": 1})] * 5, 0.1)
    reader, writer = await front.connect()
    writer.write(request(GOOD))
    await engine.request()
    front.gateway.draining = True

    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"0\r\n\r\n")
    assert answer.count(b'{"n": 1}') == 5
    writer.close()


async def test_what_does_not_finish_in_time_is_told_so(front: Front, engine: Engine):
    engine.script = lambda _: [*answers.events([answers.data({"n": 1})])[:3], Hang()]
    reader, writer = await front.connect()
    writer.write(request(GOOD))
    async with asyncio.timeout(10):
        await reader.readuntil(b"\n\n")
        front.gateway.stop()
        rest = await reader.read()

    assert b'"code":"not_ready"' in rest
    assert rest.endswith(b"0\r\n\r\n")
    await (await engine.request()).connection.closed_within(10)
    writer.close()
