"""Whatever an engine answers, the client gets one clear outcome, and the next answer is good."""

import asyncio
import json

import pytest

from gateway.connection import Connection
from tests.fakes import answers
from tests.fakes.answers import Answer, Close, Hang, Pause, Reset, Send, chunk, whole
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import Front
from tests.integration.gateway.front import front as serve
from tests.integration.gateway.replies import (
    ASK,
    DONE,
    FAILURE,
    JSON,
    JSON_LINES,
    STREAMED,
    A,
    raw,
    the_next_is_good,
)

pytestmark = pytest.mark.anyio

MB = 1_000_000

BAD = (502, "upstream_bad_response")
FAILED = (502, "upstream_error")


def document(*lines: str, body: bytes = b"{}") -> Answer:
    """Return an answer in which nothing can be wrong but `lines` and `body`."""
    return raw(*JSON_LINES, f"Content-Length: {len(body)}", *lines, body=body)


SHORT = raw(*JSON_LINES, "Content-Length: 9")

# PROMISES, section 3: what the engine answers; status and code of what the client gets.
REFUSED = {
    "U1 HTML": (whole(b"<html>", 200, [("Content-Type", "text/html")]), *BAD),
    "U1 HTML that says it is JSON": (whole(b"<html>", 200, JSON), *BAD),
    "U1 no type": (whole(b"{}", 200, []), *BAD),
    "U1 HTML as a 404": (whole(b"<html>", 404, [("Content-Type", "text/html")]), *BAD),
    "U2 not JSON": (whole(b"{", 200, JSON), *BAD),
    "U2 two documents": (whole(b"{}{}", 200, JSON), *BAD),
    "U2 empty": (whole(b"", 200, JSON), *BAD),
    "U2 UTF-16": (whole("{}".encode("utf-16"), 200, JSON), *BAD),
    "U2 200 with an error": (whole(b'{"error":{"message":"out of memory"}}', 200, JSON), *FAILED),
    "U2 a million [": (whole(b"[" * MB, 200, JSON), *BAD),
    "U4 cut short": ([*SHORT, Close()], *FAILED),
    "U4 no last chunk": ([*answers.chunked([b"{}"], headers=JSON)[:-1], Close()], *FAILED),
    "U4 chunk cut short": (
        [*raw(*JSON_LINES, "Transfer-Encoding: chunked", body=b"9\r\n{}"), Close()],
        *FAILED,
    ),
    "U5 not HTTP": ([Send(b"\x16\x03\x01\x02\x00 what\r\n\r\n")], *BAD),
    "U5 HTTP/0.9": ([Send(b"{}"), Close()], *BAD),
    "U5 HTTP/2": ([Send(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00")], *BAD),
    "U5 two lengths": (document("Content-Length: 9"), *BAD),
    "U5 length and chunks": (document("Transfer-Encoding: chunked"), *BAD),
    "U5 negative length": (raw(*JSON_LINES, "Content-Length: -1"), *BAD),
    "U5 length of 2**64": (raw(*JSON_LINES, f"Content-Length: {2**64}"), *BAD),
    "U5 chunk of 2**64": (
        raw(*JSON_LINES, "Transfer-Encoding: chunked", body=b"f" * 17),
        *BAD,
    ),
    "U5 chunk of no number": (
        raw(*JSON_LINES, "Transfer-Encoding: chunked", body=b"x\r\n{}\r\n"),
        *BAD,
    ),
    "U6 NUL in a header": (document("X-A: b\0c"), *BAD),
    "U6 CR in a header": (document("X-A: b\rc"), *BAD),
    "U6 space in a name": (document("X A: b"), *BAD),
    "U6 1 MB header": (document("X-A: " + "y" * MB), *BAD),
    "U6 10,000 headers": (document(*(f"X-{n}: y" for n in range(10_000))), *BAD),
    "U6 101 headers": (document(*(f"X-{n}: y" for n in range(101))), *BAD),
    "U7 endless 103": (
        [step for _ in range(100) for step in (Send(answers.head(103) * 100), Pause(0))],
        *BAD,
    ),
    "U7 101": ([Send(answers.head(101, [("Upgrade", "h2c"), ("Connection", "upgrade")]))], *BAD),
    "U7 204": ([Send(answers.head(204))], *BAD),
    "U7 204 with a body": (whole(b"{}", 204, JSON), *BAD),
    "U7 201": (answers.document({}, 201), *BAD),
    "U7 206": (answers.document({}, 206), *BAD),
    "U7 304": ([Send(answers.head(304))], *BAD),
    "U13 gzip": (answers.document({}, headers=[("Content-Encoding", "gzip")]), *BAD),
    "U13 gzip, then nothing": (
        answers.document({}, headers=[("Content-Encoding", "gzip, identity")]),
        *BAD,
    ),
    "U15 reset before the head": ([Reset()], *FAILED),
    "U15 closed before the head": ([Close()], *FAILED),
    "U15 reset within the head": ([Send(b"HTTP/1.1 200 OK\r\nX: "), Reset()], *FAILED),
    "U15 reset after the head": ([*SHORT, Pause(0), Reset()], *FAILED),
    "U4 a stream cut within its first event": (
        [*STREAMED, Send(chunk(A[:9])), Pause(0), Close()],
        *FAILED,
    ),
    "U9 a stream that begins with an error": (answers.events([FAILURE, DONE]), *FAILED),
    "U10 a stream of nothing": (answers.events([]), *FAILED),
    "U10 half an event": (answers.events([A[:9]]), *FAILED),
    "U11 a first line of 4 MB": ([*STREAMED, Send(chunk(b"x" * 4 * MB)), Hang()], *BAD),
    "U15 a stream reset before its first event": ([*STREAMED, Pause(0.02), Reset()], *FAILED),
}  # fmt: skip


@pytest.mark.parametrize("row", REFUSED)
async def test_a_bad_answer_is_the_engines_fault(front: Front, engine: Engine, row: str):
    answer, status, code = REFUSED[row]
    engine.script = lambda _: answer

    told = await front.raw(ASK)

    head, _, content = told.partition(b"\r\n\r\n")
    error = json.loads(content)["error"]
    assert (int(head[9:12]), error["code"], error["param"]) == (status, code, None)
    assert error["message"].isprintable()
    assert len(error["message"]) < 300
    assert len(engine.requests) == 1
    await the_next_is_good(front, engine)


# What an engine says of the request is not asked of another one, even if it cannot be read.
@pytest.mark.parametrize("row", [row for row in REFUSED if "404" not in row])
async def test_another_service_answers_instead(front: Front, engine: Engine, row: str):
    """U4, U15: once, and only its answer counts as one."""
    engine.script = lambda _: REFUSED[row][0]
    async with Engine(openai(["small"])) as good:
        front.offer(engine.address, good.address)
        while not engine.requests:
            good.requests.clear()
            front.gateway.meter.take(2)
            stream = {"model": "small", "stream": True, "stream_options": {"include_usage": True}}

            response = await front.post(stream)

            assert response.text.count("[DONE]") == 1
            assert "error" not in response.text
    assert (len(engine.requests), len(good.requests)) == (1, 1)
    counted = {one.service_id: one for one in front.gateway.meter.take(2)}
    assert (counted["h/0"].answered, counted["h/0"].errors) == (0, {REFUSED[row][2]: 1})
    assert (counted["h/1"].answered, counted["h/1"].errors) == (1, {})
    assert counted["h/0"].prompt_tokens == 0
    assert counted["h/1"].prompt_tokens == 7


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(front: Front, engine: Engine, status: int):
    """U7: it could lead anywhere, with our credential."""
    async with Engine(openai(["small"])) as elsewhere:
        target = [("Location", f"{elsewhere.url}/v1/chat/completions")]
        engine.script = lambda _: whole(b"", status, target)

        told = await front.raw(ASK)

        assert told.startswith(b"HTTP/1.1 502 ")
        assert b"upstream_bad_response" in told
        assert elsewhere.address.encode() not in told
        assert not elsewhere.connections


@pytest.mark.parametrize(
    ("status", "code"), [(500, "upstream_error"), (400, "upstream_bad_response")]
)
async def test_an_endless_error_is_not_read(front: Front, engine: Engine, status: int, code: str):
    """U3: of 100 MB the engine is rid of no more than the kernel holds."""
    part = b"x" * MB
    endless = [*answers.chunked([part] * 100, status, JSON)]
    engine.script = lambda _: endless

    told = await front.raw(ASK)

    assert told.startswith(b"HTTP/1.1 502 ")
    assert code.encode() in told
    arrived = await engine.request()
    await arrived.connection.closed_within(10)
    assert arrived.sent < 20 * MB
    await the_next_is_good(front, engine)


async def test_an_answer_is_as_large_as_the_operator_allows(door: str, engine: Engine):
    async with serve(door, limits={"json_answer": 10_000}) as front:
        front.offer(engine.address)
        engine.script = lambda _: answers.document("x" * 9_998)
        assert len(await front.raw(ASK)) > 10_000
        engine.script = lambda _: answers.document("x" * 9_999)

        told = await front.raw(ASK)

    assert told.startswith(b"HTTP/1.1 502 ")
    assert b"larger than this gateway accepts" in told


GOOD, EVIL = (answers.sent(answers.document({"n": n})) for n in ("good", "evil"))


@pytest.mark.parametrize(
    "answer",
    [[Send(GOOD + EVIL)], [Send(GOOD), Pause(0), Send(EVIL)], [Send(GOOD + b"\r\n x")]],
    ids=["at once", "later", "not HTTP"],
)
async def test_what_follows_an_answer_is_nobodys(front: Front, engine: Engine, answer: Answer):
    """U5: it could only be mistaken for the answer to the next request."""
    engine.script = lambda _: answer

    assert (await front.post({"model": "small"})).json() == {"n": "good"}
    await engine.connections[0].closed_within(10)
    engine.script = lambda _: answers.document({"n": "next"})
    assert (await front.post({"model": "small"})).json() == {"n": "next"}


async def test_who_answers_before_it_was_asked_wholly_is_asked_anew(front: Front):
    """It may never read the rest, and with it no other request on that connection."""
    asked = []
    over = asyncio.Event()

    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answers.sent(answers.document({}, 400)))
        await over.wait()
        writer.transport.abort()

    async with await asyncio.start_server(hasty, "127.0.0.1", 0) as server:
        front.offer("{}:{}".format(*server.sockets[0].getsockname()))
        large = {"model": "small", "text": "x" * 9 * MB}  # more than the kernel takes

        for _ in range(2):
            assert (await front.post(large)).status_code == 400
        over.set()
    assert len(asked) == 2


async def test_who_speaks_before_it_is_asked_is_not_asked(front: Front, engine: Engine):
    """What it says is no answer; another one is asked."""
    async with Engine(openai(["small"])) as other:
        front.offer(engine.address, other.address)
        upstream = front.gateway.routes.upstreams["h/0"]
        connect, spoken = upstream.connect, []

        async def spoken_to(patience: float) -> Connection:
            connection = await connect(patience)
            connection.data_received(GOOD)
            spoken.append(connection)
            return connection

        upstream.connect = spoken_to
        while not spoken:
            other.requests.clear()

            response = await front.post({"model": "small"})

            assert "choices" in response.json()
    assert not engine.requests
    assert len(other.requests) == 1


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["nothing", "half a head"])
async def test_who_takes_a_connection_and_ends_it_is_passed_over(front: Front, words: bytes):
    met = []

    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(writer)
        writer.write(words)
        writer.close()

    async with (
        await asyncio.start_server(hasty, "127.0.0.1", 0) as server,
        Engine(openai(["small"])) as good,
    ):
        front.offer("{}:{}".format(*server.sockets[0].getsockname()), good.address)

        for _ in range(4):
            response = await front.post({"model": "small"})

            assert response.status_code == 200
    assert met
