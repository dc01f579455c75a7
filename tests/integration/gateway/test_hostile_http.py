"""What stands on the wire of a client that means harm, or knows no better: one row each.

Of the protocol door alone: behind ASGI the server frames.
"""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from tests.fakes import answers
from tests.fakes.engine import Engine
from tests.integration.gateway.front import CHAT, Front, request
from tests.integration.gateway.front import front as serve

pytestmark = pytest.mark.anyio

GOOD = b'{"model":"small"}'
KEY = "sk-right"
PLAIN = request(GOOD, f"Authorization: Bearer {KEY}")
CHUNKED = PLAIN.replace(b"Content-Length: 17", b"Transfer-Encoding: chunked").removesuffix(GOOD)
RESOLVE, MATCH = b"/v1/cluster/routes/resolve", b"/v1/cluster/routes/match"
GET = f"GET /v1/models HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {KEY}\r\n".encode()


def changed(old: bytes, new: bytes) -> bytes:
    assert old in PLAIN
    return PLAIN.replace(old, new)


def with_line(line: bytes) -> bytes:
    return changed(b"Host: t\r\n", b"Host: t\r\n" + line + b"\r\n")


def get(path: bytes, method: bytes = b"GET") -> bytes:
    return GET.replace(b"GET /v1/models", method + b" " + path) + b"Connection: close\r\n\r\n"


# Name, what is sent, status and code of the answer. All but answers of the app close.
ROWS: list[tuple[str, bytes, int, str]] = [
    ("H1 host with a path", changed(b"Host: t", b"Host: a/b?c#d"), 400, "invalid_value"),
    ("H1 host with a user", changed(b"Host: t", b"Host: a@b"), 400, "invalid_value"),
    ("H2 no host", changed(b"Host: t\r\n", b""), 400, "invalid_value"),
    ("H2 empty host", changed(b"Host: t", b"Host: "), 400, "invalid_value"),
    ("H2 two hosts", with_line(b"Host: u"), 400, "invalid_value"),
    ("H3 length and chunks", with_line(b"Transfer-Encoding: chunked"), 400, "invalid_value"),
    ("H4 two lengths", with_line(b"Content-Length: 3"), 400, "invalid_value"),
    ("H4 the same length twice", with_line(b"Content-Length: 17"), 400, "invalid_value"),
    *(
        (f"H5 length {bad!r}", changed(b": 17", b": " + bad), 400, "invalid_value")
        for bad in (b"+17", b"0x11", b"-1", b"5,5", b"1_7", b"9" * 30)
    ),
    *(
        (
            f"H6 coding {bad!r}",
            CHUNKED.replace(b"chunked", bad) + b"0\r\n\r\n",
            400,
            "invalid_value",
        )
        for bad in (b"xchunked", b"chunked, identity", b"chunked, chunked")
    ),
    ("H7 chunk size", CHUNKED + b"F" * 17 + b"\r\nx", 400, "invalid_value"),
    (
        "H7 chunk size of a body that is not for engines",
        CHUNKED.replace(CHAT.encode(), MATCH) + b"F" * 17 + b"\r\nx",
        400,
        "invalid_value",
    ),
    ("H7 bare LF", CHUNKED + b"11\n" + GOOD + b"\n0\n\n", 400, "invalid_value"),
    ("H9 space in a name", with_line(b"X Y: 1"), 400, "invalid_value"),
    (
        "H9 underscore in a name is no key",
        request(GOOD, f"x_api_key: {KEY}", "Connection: close"),
        401,
        "invalid_api_key",
    ),
    ("H10 NUL in a value", with_line(b"X-Y: a\x00b"), 400, "invalid_value"),
    ("H10 CR in a value", with_line(b"X-Y: a\rb"), 400, "invalid_value"),
    ("H10 folded value", with_line(b"X-Y: a\r\n b"), 400, "invalid_value"),
    ("H11 long header", with_line(b"X-Y: " + b"a" * 40_000), 431, "headers_too_large"),
    ("H11 endless header", with_line(b"X-Y: " + b"a" * 400_000), 431, "headers_too_large"),
    (
        "H11 many headers",
        with_line(b"\r\n".join(b"X-%d: 1" % number for number in range(2_000))),
        431,
        "headers_too_large",
    ),
    ("H11 long URL", get(b"/" + b"a" * 65_536), 414, "uri_too_long"),
    ("H12 absolute form", get(b"http://other/v1/nothing"), 404, "not_found"),
    ("H12 TRACE", get(b"/v1/models", b"TRACE"), 405, "method_not_allowed"),
    ("H12 verb of another path", get(MATCH), 405, "method_not_allowed"),
    ("H12 unknown verb", get(b"/v1/models", b"BREW"), 405, "method_not_allowed"),
    *(
        (f"H14 path {path!r}", get(path), 404, "not_found")
        for path in (b"/v1/%2e%2e/admin", b"//v1", b"/v1;x", b"/%00", b"/%c0%ae%c0%ae/")
    ),
    ("H14 query that is not UTF-8", get(RESOLVE + b"?model=%ff&kind=%00"), 400, "invalid_value"),
    ("H14 query without end", get(RESOLVE + b"?" + b"model=m&" * 900), 503, "control_unavailable"),
    (
        "H17 two keys",
        with_line(b"X-Api-Key: other").replace(b"Accept", b"A"),
        400,
        "conflicting_credentials",
    ),
    ("H18 key that is not ASCII", changed(KEY.encode(), b"\xff\xfe\x80"), 401, "invalid_api_key"),
    ("H18 key of 10 KB", changed(KEY.encode(), b"k" * 10_000), 401, "invalid_api_key"),
    *(
        (f"H19 type {kind!r}", changed(b"application/json", kind), 415, "unsupported_media_type")
        for kind in (b"", b"text/plain", b"application/json; charset=utf-16")
    ),
    ("H20 encoded body", with_line(b"Content-Encoding: gzip"), 415, "unsupported_media_type"),
]

# Rows of the list whose subject comes later.
LATER = {
    "H22": "no static files are served yet; they come with the operator's pages",
    "H1 allowlist": "names of one's own hosts (421) come with the admin surface",
}


@pytest.fixture
async def front(engine: Engine) -> AsyncIterator[Front]:
    async with serve("protocol") as started:
        started.offer(engine.address)
        started.allow(KEY)
        yield started


async def is_well(front: Front) -> bool:
    return (await front.post(GOOD, authorization=f"Bearer {KEY}")).status_code == 200


@pytest.mark.parametrize(("wire", "status", "code"), [row[1:] for row in ROWS],
                         ids=[row[0] for row in ROWS])  # fmt: skip
async def test_it_is_refused_and_the_next_good_request_is_served(
    front: Front, engine: Engine, wire: bytes, status: int, code: str
):
    closing = wire if b"Connection: close" in wire else wire.replace(
        b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1
    )  # fmt: skip
    answer = await front.raw(closing)

    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b'"code":"%b"' % code.encode() in answer
    assert b"\r\nx-request-id: req_" in answer
    assert not engine.requests
    assert await is_well(front)


@pytest.mark.parametrize(
    "wire",
    [
        b"GET /\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03",
    ],
    ids=["HTTP/0.9", "HTTP/2", "TLS"],
)
async def test_h13_another_protocol_is_closed(front: Front, engine: Engine, wire: bytes, caplog):
    await front.raw(wire + b"\r\n\r\n")

    assert not engine.requests
    assert not caplog.records
    assert await is_well(front)


async def test_h8_a_trailer_is_no_header(front: Front, engine: Engine):
    head = CHUNKED.replace(f"Authorization: Bearer {KEY}\r\n".encode(), b"")
    trailer = f"0\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
    answer = await front.raw(head + b"11\r\n" + GOOD + b"\r\n" + trailer)

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert not engine.requests


async def test_h12_the_absolute_form_is_judged_by_its_path(front: Front, engine: Engine):
    wire = PLAIN.replace(f"POST {CHAT}".encode(), f"POST http://other{CHAT}".encode())
    answer = await front.raw(wire.replace(b"Host: t", b"Host: t\r\nConnection: close"))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(engine.requests) == 1


async def test_h12_connect_opens_no_tunnel(front: Front, engine: Engine):
    answer = await front.raw(b"CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n" + PLAIN)

    assert answer.startswith(b"HTTP/1.1 40")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert not engine.requests


@pytest.mark.parametrize(
    "name", [b"a\x1b[2J", b"a" * 10_000, b"a b", b"", "n\u00e4me".encode()],
    ids=["ANSI", "long", "space", "empty", "not ASCII"],
)  # fmt: skip
async def test_h21_a_strange_request_id_is_not_repeated(front: Front, name: bytes):
    wire = with_line(b"X-Request-Id: " + name + b"\r\nConnection: close")
    answer = await front.raw(wire)

    assert b"x-client-request-id" not in answer
    assert re.search(rb"\r\nx-request-id: req_[0-9a-f]{32}\r\n", answer)


@pytest.mark.parametrize(
    "wire",
    [
        changed(b"Host: t\r\n", b""),
        changed(b"Host: t", b"Host: a@b"),
        with_line(b"Host: u"),
        with_line(b"\r\n".join(b"X-%d: y" % number for number in range(200))),
    ],
    ids=["no host", "host with a user", "two hosts", "many headers"],
)
async def test_a_head_that_is_refused_is_refused_however_often_it_comes(
    front: Front, engine: Engine, wire: bytes
):
    said = [await front.raw(wire) for _ in range(4)]

    assert all(answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")) for answer in said)
    assert not engine.requests


async def make_known(front: Front) -> None:
    """Let the door remember the head of `PLAIN`."""
    reader, writer = await front.connect()
    for _ in range(2):
        writer.write(PLAIN)
        async with asyncio.timeout(30):
            await reader.readuntil(b"}}")
    writer.close()


SLOW = {"request_head": 0.4, "request_body": 0.6}


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (b"", b""),
        (b"POST", b"HTTP/1.1 408 "),
        (b"POST / HTTP/1.1\r\nHost: t\r\n", b"HTTP/1.1 408 "),
        (PLAIN[:-5], b"HTTP/1.1 408 "),
        (CHUNKED + b"5\r\nab", b"HTTP/1.1 408 "),
        (request(GOOD, f"Authorization: Bearer {KEY}", "Expect: 100-continue")[:-17],
         b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 "),
    ],
    ids=["H15 silence", "half a line", "half a head", "J9 half a body", "half a chunk", "invited"],
)  # fmt: skip
async def test_h15_who_does_not_finish_is_told_so(engine: Engine, wire: bytes, said: bytes):
    """The second time, too, when the head is one that came before."""
    async with serve("protocol", timeouts=SLOW) as front:
        front.offer(engine.address)
        front.allow(KEY)
        for _ in range(2):
            assert await is_well(front)
            answer = await front.raw(wire)

            assert answer.startswith(said)
            assert bool(answer) == bool(said)
            await make_known(front)
        assert not front.gateway.incoming
        assert await is_well(front)


async def test_who_waits_for_us_is_not_late(engine: Engine):
    """Neither behind a slow answer, nor between two requests."""
    engine.script = lambda _: [answers.Pause(0.5), *answers.document({"ok": 1})]
    async with serve("protocol", timeouts=SLOW) as front:
        front.offer(engine.address)
        front.allow(KEY)
        for _ in range(2):  # the second connection begins with a head that came before
            reader, writer = await front.connect()
            for cut in (0, len(PLAIN), 30):
                writer.write(PLAIN + PLAIN[:cut])
                async with asyncio.timeout(30):
                    await reader.readuntil(b'{"ok": 1}')
                await asyncio.sleep(0.2 if cut else 1.0)
                writer.write(PLAIN[cut:])
                async with asyncio.timeout(30):
                    await reader.readuntil(b'{"ok": 1}')
            writer.close()


async def test_half_a_body_and_a_farewell_frees_the_connection(front: Front, engine: Engine):
    _, writer = await front.connect()
    writer.write(PLAIN[:-5])
    writer.write_eof()
    async with asyncio.timeout(30):
        while front.connections:  # noqa: ASYNC110  # it sends no events
            await asyncio.sleep(0.005)

    assert not front.gateway.incoming
    assert not engine.requests
    writer.close()


async def test_more_connections_than_allowed_are_told_so(engine: Engine):
    async with serve("protocol", limits={"connections": 3}) as front:
        front.offer(engine.address)
        kept = [await front.connect() for _ in range(3)]
        await asyncio.sleep(0.05)
        answer = await front.raw(b"")

        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answer
        for _, writer in kept:
            writer.close()
        async with asyncio.timeout(30):
            while front.connections:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(0.005)
        assert (await front.post(GOOD)).status_code == 200


async def test_slow_heads_hold_up_nobody(engine: Engine):
    async with serve("protocol", timeouts=SLOW) as front:
        front.offer(engine.address)
        front.allow(KEY)
        slow = []
        for _ in range(200):
            slow.append(await front.connect())
            slow[-1][1].write(b"POST / HTTP/1.1\r\nX-")

        assert await is_well(front)
        async with asyncio.timeout(30):
            for reader, writer in slow:
                assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
                writer.close()
        assert await is_well(front)
