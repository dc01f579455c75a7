"""How requests stand on the wire. Of the protocol door alone: behind ASGI the server frames."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from itertools import pairwise
from random import Random

import pytest

from tests.fakes import answers
from tests.fakes.answers import Hang
from tests.fakes.engine import Engine
from tests.integration.gateway.front import CHAT, Front, request
from tests.integration.gateway.front import front as serve
from tests.integration.gateway.test_disconnect import leave

pytestmark = pytest.mark.anyio

GOOD = b'{"model":"small"}'
KEY = "sk-right"
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
    async with asyncio.timeout(30):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(GOOD)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()


async def test_a_body_that_will_be_too_large_is_not_invited(front: Front):
    reader, writer = await front.connect()
    wire = request(b"", "Expect: 100-continue")
    writer.write(wire.replace(b"Content-Length: 0", b"Content-Length: 99999999"))
    async with asyncio.timeout(30):
        answer = await reader.readuntil(b"}}")
    writer.close()

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

    async with asyncio.timeout(30):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()


PLAIN = [f"X-Number: {number}" for number in range(3)]


@pytest.mark.parametrize("seed", range(20))
async def test_a_head_that_came_before_frames_the_same(front: Front, engine: Engine, seed: int):
    """However requests are mixed and cut into segments, each gets its own answer, in order."""
    random = Random(seed)
    engine.script = lambda asked: answers.document({"was": len(asked.body)})
    wire, expected = b"", []
    for _ in range(30):
        body = b'{"model":"small","x":"%b"}' % (b"x" * random.randrange(0, 300, 7))
        kind = random.choice(["plain", "plain", "plain", "chunked", "models", "bad"])
        if kind == "models":
            wire += MODELS
            expected.append(b'"object":"list"')
        elif kind == "chunked":
            head = request(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
            wire += head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            expected.append(b'{"was": %d}' % len(body))
        elif kind == "bad":
            wire += request(b"x" * random.randrange(1, 50), random.choice(PLAIN))
            expected.append(b'"invalid_body"')
        else:
            wire += request(body, random.choice(PLAIN))
            expected.append(b'{"was": %d}' % len(body))
    wire += request(b"{}", "Connection: close")

    reader, writer = await front.connect()
    cuts = sorted(random.sample(range(len(wire)), 60))
    for start, end in pairwise([0, *cuts, len(wire)]):
        writer.write(wire[start:end])
        await writer.drain()
        await asyncio.sleep(random.choice([0, 0, 0.001]))
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()

    place = 0
    for one in expected:
        place = answer.index(one, place) + 1
    assert answer.count(b"HTTP/1.1 ") == len(expected) + 1


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


@pytest.mark.parametrize(
    "last",
    [request(GOOD), request(b"{", "Connection: close", f"X-Api-Key: {KEY}")],
    ids=["refused", "closing"],
)
async def test_what_stands_behind_the_last_request_is_not_served(
    front: Front, engine: Engine, last: bytes
):
    """Nobody would get its answer. RFC 9112, 9.6."""
    front.allow(KEY)
    good = request(GOOD, f"X-Api-Key: {KEY}")
    assert (await front.post(GOOD, x_api_key=KEY)).status_code == 200  # leaves a kept connection
    answer = await front.raw(last + good)
    await front.idle()

    assert answer.count(b"HTTP/1.1 ") == 1
    assert len(engine.requests) == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [(CHAT, b"HTTP/1.1 401 "), ("/v1/nothing", b"HTTP/1.1 404 ")],
    ids=["ours", "the app's"],
)
@pytest.mark.parametrize("rest", [b"", b"no chunk"], ids=["slow", "garbage"])
async def test_a_request_refused_by_its_head_gets_one_answer(
    engine: Engine, path: str, said: bytes, rest: bytes
):
    """Whatever its body is: a second one would be taken for that of another request."""
    timeouts = {} if rest else {"request_body": 0.2}
    async with serve("protocol", timeouts=timeouts) as front:
        front.allow(KEY)
        wire = request(b"", path=path).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        reader, writer = await front.connect()
        writer.write(wire)
        async with asyncio.timeout(30):
            await reader.readuntil(said)
            await reader.readuntil(b"}}")
            writer.write(rest)
            assert await reader.read() == b""
        writer.close()


async def test_garbage_behind_a_request_of_the_app_is_not_its_answer(front: Front):
    assert await front.raw(MODELS + b"\x00garbage\r\n\r\n") == b""


async def test_garbage_behind_an_answered_request_is_told_so(front: Front):
    """Not that POST is no method, which is what stands at the beginning."""
    for _ in range(3):  # the last time it is a head that came before
        answer = await front.raw(request(b"{", "X-Then: garbage") + b"\x00garbage\r\n\r\n")

        assert answer.count(b"HTTP/1.1 400 ") == 2
        assert b"the request is not valid HTTP" in answer


async def test_garbage_behind_a_request_never_stands_within_its_answer(
    front: Front, engine: Engine
):
    engine.script = lambda _: [Hang()]
    reader, writer = await front.connect()
    writer.write(request(GOOD))
    arrived = await engine.request()
    writer.write(b"\x00garbage\r\n\r\n")

    async with asyncio.timeout(30):
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


async def test_what_does_not_finish_in_time_is_told_so(front: Front, engine: Engine):
    engine.script = lambda _: [*answers.events([answers.data({"n": 1})])[:3], Hang()]
    reader, writer = await front.connect()
    writer.write(request(GOOD))
    async with asyncio.timeout(30):
        await reader.readuntil(b"\n\n")
        front.gateway.stop()
        rest = await reader.read()

    assert b'"code":"not_ready"' in rest
    assert rest.endswith(b"0\r\n\r\n")
    await (await engine.request()).connection.closed_within(10)
    writer.close()


INNER = request(b'{"model":"small","inner":1}')


@pytest.mark.parametrize("together", [True, False], ids=["at once", "later"])
async def test_an_upgrade_hides_no_second_request(front: Front, engine: Engine, together: bool):
    """The parser takes the body for the other protocol's. Some clients offer h2c each time."""
    body = b'{"model":"small","x":"' + INNER.replace(b'"', b"'").replace(b"\r\n", b" ") + b'"}'
    head = request(body, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c").removesuffix(body)
    reader, writer = await front.connect()
    writer.write(head + (body if together else b""))
    if not together:
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(body[:30])
        await asyncio.sleep(0.05)
        writer.write(body[30:] + INNER)

    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.count(b"HTTP/1.1") == 1
    assert [seen.body for seen in engine.requests] == [body]


async def test_a_body_behind_an_upgrade_of_another_path_is_no_request(front: Front, engine: Engine):
    wire = b"GET /v1/models HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: x\r\n"
    answer = await front.raw(wire + b"Content-Length: %d\r\n\r\n" % len(INNER) + INNER)

    assert answer.count(b"HTTP/1.1") == 1
    assert not engine.requests


async def test_a_chunked_body_behind_an_upgrade_is_refused(front: Front, engine: Engine):
    wire = request(b"", "Connection: Upgrade", "Upgrade: h2c").replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    answer = await front.raw(wire + b"11\r\n" + GOOD + b"\r\n0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert not engine.requests


async def test_the_next_request_waits_until_the_last_answer_is_read(front: Front, engine: Engine):
    """Begun before, its own answer would not be held back by a client that does not read."""
    engine.script = lambda _: answers.document({"text": "x" * 8_000_000})
    reader, writer = await front.connect()
    writer.transport.pause_reading()
    writer.write(request(GOOD))
    await (await engine.request()).answered.wait()
    writer.write(request(GOOD, "Connection: close"))
    await asyncio.sleep(0.3)
    assert len(engine.requests) == 1

    writer.transport.resume_reading()
    async with asyncio.timeout(20):
        size = 0
        while part := await reader.read(1 << 20):
            size += len(part)
    assert size > 16_000_000
    assert len(engine.requests) == 2
    writer.close()


async def test_a_client_that_stops_reading_is_cut_and_not_blamed_on_its_engine(
    engine: Engine, caplog
):
    engine.script = lambda _: answers.events([answers.data({"text": "x" * 60_000})] * 400)
    async with serve("protocol", timeouts={"idle": 0.3}) as front:
        front.offer(engine.address)
        _, writer = await front.connect()
        writer.transport.pause_reading()
        writer.write(request(GOOD))
        stalled = await engine.request()

        await stalled.connection.closed_within(10)
        async with asyncio.timeout(30):
            while front.connections:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(0.01)
    assert "sent nothing" not in caplog.text
    writer.close()


async def test_a_reset_connection_leaves_no_timer(front: Front, engine: Engine):
    reader, writer = await front.connect()
    writer.write(request(GOOD))
    await reader.readuntil(b"}}")
    engine.script = lambda _: [Hang()]
    writer.write(request(GOOD))
    await engine.request(2)
    (door,) = front.connections
    assert door.timeout_keep_alive_task is not None
    leave(writer, "RST")
    await front.idle()
    async with asyncio.timeout(30):
        while front.connections:  # noqa: ASYNC110  # it sends no events
            await asyncio.sleep(0.01)

    assert door.timeout_keep_alive_task is None


async def test_an_idle_connection_is_closed_and_a_used_one_is_not(engine: Engine):
    async with serve("protocol") as front:
        front.offer(engine.address)
        reader, writer = await front.connect()
        writer.write(request(GOOD))
        await reader.readuntil(b"}}")
        (door,) = front.connections
        now = front.gateway.clock()
        door.timeout_keep_alive_handler()
        assert not door.transport.is_closing()
        front.gateway.clock = lambda: now + door.timeout_keep_alive + 1
        door.timeout_keep_alive_handler()
        assert door.transport.is_closing()
        writer.close()


async def test_a_connection_on_which_a_head_begins_is_not_idle(front: Front):
    reader, writer = await front.connect()
    writer.write(request(GOOD))
    await reader.readuntil(b"}}")
    (door,) = front.connections
    now = front.gateway.clock()
    writer.write(request(GOOD, "Connection: close")[:30])
    async with asyncio.timeout(30):
        while not front.gateway.incoming:  # noqa: ASYNC110  # it sends no events
            await asyncio.sleep(0.005)
    front.gateway.clock = lambda: now + door.timeout_keep_alive + 1
    door.timeout_keep_alive_handler()
    front.gateway.clock = lambda: now
    writer.write(request(GOOD, "Connection: close")[30:])

    async with asyncio.timeout(30):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_pipelined_requests_wait_in_a_bounded_queue(front: Front, engine: Engine):
    engine.script = lambda _: [Hang()]
    _, writer = await front.connect()
    writer.write(request(GOOD))
    arrived = await engine.request()
    (door,) = front.connections
    writer.write(b"GET /health HTTP/1.1\r\n\r\n" * 150_000)
    await asyncio.sleep(0.5)

    assert len(door.pipeline) < 20_000
    writer.transport.abort()
    arrived.connection.closed.set()
    door.transport.abort()


async def test_a_large_body_and_a_stray_line_end_hide_no_leaving(front: Front, engine: Engine):
    engine.script = lambda _: [Hang()]
    body = b'{"model":"small","x":"' + b"y" * 200_000 + b'"}'
    _, writer = await front.connect()
    writer.write(request(body))
    arrived = await engine.request()
    writer.write(b"\r\n")
    await writer.drain()
    writer.close()

    await arrived.connection.closed_within(10)


async def test_a_pipelined_client_is_invited_in_its_turn(front: Front):
    reader, writer = await front.connect()
    second = request(GOOD, "Expect: 100-continue", "Connection: close").removesuffix(GOOD)
    writer.write(request(GOOD) + second)
    async with asyncio.timeout(30):
        await reader.readuntil(b"}}")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(GOOD)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()


@pytest.mark.parametrize("how", ["FIN", "RST"])
@pytest.mark.parametrize("answered", [True, False])
async def test_a_connection_that_is_over_leaves_nothing_to_the_collector(
    front: Front, engine: Engine, how: str, answered: bool
):
    """It runs rarely, and what waits for it is memory."""
    engine.script = lambda _: answers.document({"ok": 1}) if answered else [Hang()]
    gc.disable()
    try:
        reader, writer = await front.connect()
        writer.write(request(GOOD))
        arrived = await engine.request()
        if answered:
            await reader.readuntil(b'{"ok": 1}')
        (door,) = map(weakref.ref, front.connections)
        leave(writer, how)
        if not answered:
            await arrived.connection.closed_within(10)
        async with asyncio.timeout(30):
            while door() is not None:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(0.005)
    finally:
        gc.enable()


async def test_a_trailer_is_no_header(front: Front, engine: Engine):
    front.allow("secret")
    head = request(b"", "Connection: close").replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    chunks = b"%x\r\n%b\r\n0\r\nX-Api-Key: secret\r\n\r\n" % (len(GOOD), GOOD)

    assert (await front.raw(head + chunks)).startswith(b"HTTP/1.1 401 ")
    assert not engine.requests
