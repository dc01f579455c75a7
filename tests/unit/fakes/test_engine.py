"""The fake engine does what its script says and remembers what came."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from tests.fakes import answers
from tests.fakes.answers import Close, Hang, Pause, Reset, Send
from tests.fakes.engine import Engine

pytestmark = pytest.mark.anyio

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


async def said(engine: Engine, request: bytes = GET) -> bytes:
    """Return everything the engine says until it ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_a_script_is_played_step_by_step():
    steps = [Send(b"one "), Pause(0.0), Send(b"two"), Close()]
    async with Engine(lambda _: steps) as engine:
        assert await said(engine) == b"one two"
        assert engine.requests[0].sent == 7
        assert not engine.connections[0].by_peer


async def test_a_request_is_remembered_as_it_was_on_the_wire(engine):
    raw = b"POST /v1/x?q HTTP/1.1\r\nHost: a\r\nX-Odd:  v \r\nContent-Length: 3\r\n\r\nabc"
    reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
    writer.write(raw)
    await reader.readuntil(b"\r\n\r\n")
    writer.close()

    request = engine.requests[0]
    assert (request.method, request.target, request.body) == ("POST", "/v1/x?q", b"abc")
    assert request.headers == [("host", "a"), ("x-odd", "v"), ("content-length", "3")]
    assert request.raw == raw
    assert request.header("x-odd") == "v"
    assert request.header("missing") is None


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_requests_are_found_in_any_chunking(size):
    """Two requests on one connection, the first in the chunked coding, cut anywhere."""
    raw = (
        b"POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        b"POST /2 HTTP/1.1\r\nContent-Length: 1\r\n\r\nz"
    )
    async with Engine(lambda request: answers.whole(request.body)) as engine:
        reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
        for start in range(0, len(raw), size):
            writer.write(raw[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.readuntil(b"abcde")).endswith(b"abcde")
        assert (await reader.readuntil(b"z")).endswith(b"z")
        writer.close()

        assert [request.body for request in engine.requests] == [b"abcde", b"z"]
        assert b"".join(request.raw for request in engine.requests) == raw
        assert len(engine.connections) == 1


async def test_a_peer_that_leaves_is_noticed_while_the_script_hangs():
    async with Engine(lambda _: [Hang()]) as engine:
        _, writer = await asyncio.open_connection("127.0.0.1", engine.port)
        writer.write(GET)
        request = await engine.request()
        assert engine.in_flight == 1
        left_at = time.monotonic()
        writer.close()

        closed_at = await request.connection.closed_within(5.0)
        assert closed_at - left_at < 5.0
        assert request.connection.by_peer
        await engine.until(lambda: engine.in_flight == 0, 5.0)
        assert request.answered.is_set()


async def test_a_peer_that_stays_is_not_reported_as_gone():
    async with Engine(lambda _: [Hang()]) as engine:
        _, writer = await asyncio.open_connection("127.0.0.1", engine.port)
        writer.write(GET)
        request = await engine.request()
        with pytest.raises(TimeoutError):
            await request.connection.closed_within(0.05)
        writer.close()


async def test_a_reset_reaches_the_peer_as_a_reset():
    async with Engine(lambda _: [Send(b"half"), Reset()]) as engine:
        reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
        writer.write(GET)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


@pytest.mark.parametrize("at", [0, 1, 40, 10_000])
async def test_an_answer_is_cut_at_the_byte_asked_for(at):
    full = answers.document({"a": 1})
    async with Engine(lambda _: answers.cut(full, at, Close())) as engine:
        assert await said(engine) == answers.sent(full)[:at]


async def test_a_slow_reader_holds_the_script_back():
    """More than loopback buffers take is not counted as sent."""
    async with Engine(lambda _: [Send(b"x" * 64_000_000)]) as engine:
        _, writer = await asyncio.open_connection("127.0.0.1", engine.port, limit=1000)
        writer.write(GET)
        request = await engine.request()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await request.answered.wait()
        assert request.sent == 0
        writer.close()
        await request.connection.closed_within(5.0)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
        b"GET / HTTP/1.1\r\nName : x\r\n\r\n",
        b"GET /\r\n\r\n",
    ],
    ids=["http-1.0", "two-lengths", "length-and-chunked", "space-before-colon", "no-version"],
)
async def test_what_is_not_clear_http_is_a_fault(raw):
    async with Engine(lambda _: []) as engine:
        assert await said(engine, raw) == b""
        assert len(engine.faults) == 1
        assert not engine.requests


async def test_a_script_that_raises_is_a_fault_and_ends_the_connection():
    def script(_):
        raise KeyError("model")

    async with Engine(script) as engine:
        assert await said(engine) == b""
        assert engine.faults == ["the script raised KeyError('model')"]


async def test_the_openai_script_answers_whole_and_streamed(engine):
    async with httpx.AsyncClient(base_url=engine.url, trust_env=False) as client:
        models = (await client.get("/v1/models")).json()
        whole = await client.post("/v1/chat/completions", json={"model": "small"})
        streamed = await client.post(
            "/v1/chat/completions",
            json={"model": "small", "stream": True, "stream_options": {"include_usage": True}},
        )
        unknown = await client.post("/v1/chat/completions", json={"model": "big"})

    assert [entry["id"] for entry in models["data"]] == ["small"]
    assert whole.json()["choices"][0]["message"]["content"] == "word " * 8
    assert streamed.headers["content-type"] == "text/event-stream"
    assert streamed.text.count("data: ") == 1 + 8 + 1 + 1 + 1  # role, words, stop, usage, end
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert unknown.status_code == 404


async def test_slices_arrive_apart_and_say_the_same():
    full = answers.events(answers.completion_events(["a", "b"], "small"))
    async with Engine(lambda _: [*answers.sliced(full, 1), Close()]) as engine:
        assert await said(engine) == answers.sent(full)


async def test_stopping_ends_what_is_open():
    engine = Engine(lambda _: [Hang()])
    await engine.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
    writer.write(GET)
    await engine.request()
    await engine.stop()

    assert await reader.read() == b""
    writer.close()


def test_as_a_process_it_tells_its_port_and_stops_in_order():
    command = [sys.executable, "-m", "tests.fakes.engine", "--model", "m1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        address = line.rsplit(" ", 1)[1].strip()
        models = httpx.get(f"http://{address}/v1/models", trust_env=False).json()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
    assert models["data"][0]["id"] == "m1"
