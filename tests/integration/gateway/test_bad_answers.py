"""Whatever an engine answers, the client gets one clear outcome, and the next answer is good."""

import asyncio
import json

import pytest

from tests.fakes import answers
from tests.fakes.answers import Answer, Close, Hang, Pause, Reset, Send, chunk, data, whole
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import Front, request
from tests.integration.gateway.front import front as serve

pytestmark = pytest.mark.anyio

ASK = request(b'{"model":"small"}', "Connection: close")
JSON = [("Content-Type", "application/json")]
EVENTS = [("Content-Type", "text/event-stream")]
JSON_LINES = ["Content-Type: application/json"]
MB = 1_000_000

BAD = (502, "upstream_bad_response")
FAILED = (502, "upstream_error")


def raw(*lines: str, body: bytes = b"{}") -> Answer:
    """Return an answer of just these header lines after a status line that is good."""
    return [Send("\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1") + body)]


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


async def the_next_is_good(front: Front, engine: Engine) -> None:
    engine.script = openai(["small"])
    assert (await front.raw(ASK)).startswith(b"HTTP/1.1 200 ")
    assert not front.gateway.loads()


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


DONE = data("[DONE]")
A, B = data({"n": "a"}), data({"n": "b"})
LAST = data({"choices": [{"finish_reason": "stop"}]})
FAILURE = data({"error": {"message": "out of memory"}})
SECRET = "thinking aloud"

# Streams that pass as they are: by the book a client reads the same from each.
STREAMS = {
    "U8 no space": A.replace(b"data: ", b"data:") + DONE,
    "U8 comments": b": ping\n\n" + A + b":\n\n" + DONE,
    "U8 other fields": b"event: x\nid: 7\nretry: 5\n" + A + b"id\n\n" + DONE,
    "U8 several lines": b'data: {"n":\ndata: "a"}\n\n' + DONE,
    "U8 CR": (A + B + DONE).replace(b"\n", b"\r"),
    "U8 CRLF": (A + B + DONE).replace(b"\n", b"\r\n"),
    "U8 BOM": b"\xef\xbb\xbf" + A + DONE,
    "U9 broken": A + b'data: {"n":\n\n' + B + DONE,
    "U9 not UTF-8": A + b'data: {"n":"\xff"}\n\n' + B + DONE,
    "U9 no JSON at all": A + b"data: oops\n\n" + B + DONE,
    "U12 usage": b"".join(data({"usage": usage}) for usage in (-5, "12", {"prompt_tokens": -5}))
    + DONE,
    "U16 an end in a text": data({"arguments": "a\n\ndata: [DONE]\n\nb"}) + B + DONE,
    "U16 separators of lines": data({"n": "\u2028\u2029\x85"}) + (
        'data: {"n":"\u2028\x85"}\n\n'.encode() + DONE
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", STREAMS)
async def test_a_strange_stream_passes(front: Front, engine: Engine, row: str):
    stream = STREAMS[row]
    engine.script = lambda _: answers.sliced(answers.chunked([stream], headers=EVENTS), 50)

    response = await front.post({"model": "small", "stream": True})

    assert response.status_code == 200
    assert response.content == stream


# Whatever engines take for the end of a stream, the client sees one.
ENDS = {
    "U10 no end": (A + LAST, A + LAST + DONE),
    "U10 two ends": (A + DONE + DONE, A + DONE),
    "U10 more after the end": (A + DONE + B, A + DONE),
    "U10 an error after the end": (A + DONE + FAILURE, A + DONE),
    "U10 no last line end": (A + DONE.rstrip(b"\n"), A + DONE),
    "U9 an error": (A + FAILURE, A + FAILURE),
    "U9 an error and an end": (A + FAILURE + DONE, A + FAILURE),
}  # fmt: skip


@pytest.mark.parametrize("size", [50, 10_000])
@pytest.mark.parametrize("row", ENDS)
async def test_a_stream_ends_once(front: Front, engine: Engine, row: str, size: int):
    stream, seen = ENDS[row]
    engine.script = lambda _: answers.sliced(answers.chunked([stream], headers=EVENTS), size)

    response = await front.post({"model": "small", "stream": True})

    assert response.content == seen
    await the_next_is_good(front, engine)


@pytest.mark.parametrize(
    "end",
    [
        [Hang()],
        [Pause(0.05), Reset()],
        [Close()],
        [Send(chunk(B)), Hang()],
        [Pause(0.05), Send(b"what\r\n")],
    ],
    ids=["nothing", "reset", "close", "more", "not HTTP"],
)
async def test_after_the_end_nothing_can_go_wrong(front: Front, engine: Engine, end: Answer):
    """U10: the client has its answer, however the engine goes on."""
    engine.script = lambda _: [*answers.chunked([A, DONE], headers=EVENTS)[:-1], *end]

    response = await front.post({"model": "small", "stream": True})

    assert response.content == A + DONE
    assert [(one.answered, one.errors) for one in front.gateway.meter.waits()] == [(1, {})]
    await engine.connections[0].closed_within(10)
    await the_next_is_good(front, engine)


@pytest.mark.parametrize("end", [[Reset()], [Close()], [Send(b"what\r\n")], [Send(chunk(b""))]])
async def test_an_engine_that_told_its_error_is_not_contradicted(
    front: Front, engine: Engine, end: Answer
):
    """U9: one error, and the attempt failed, whatever comes after it."""
    begun = answers.chunked([A, FAILURE], headers=EVENTS)[:-1]
    engine.script = lambda _: [*begun, Pause(0.05), *end]

    response = await front.post({"model": "small", "stream": True})

    assert response.content == A + FAILURE
    (counted,) = front.gateway.meter.waits()
    assert (counted.answered, sum(counted.errors.values())) == (0, 1)
    await the_next_is_good(front, engine)


async def test_a_broken_event_that_may_hide_something_is_left_out(front: Front, engine: Engine):
    """U9: the rest is delivered."""
    broken = b'data: {"reasoning_content":"%b\n\n' % SECRET.encode()
    engine.script = lambda _: answers.chunked([A, broken, B, DONE], headers=EVENTS)

    response = await front.post({"model": "small", "stream": True})

    assert response.content == A + B + DONE


# How a stream that began can end badly: after what was good, one error, and no end.
BROKEN = {
    "U10 no end": (answers.chunked([])[1:], "upstream_error"),
    "U10 half an event": ([Send(chunk(B[:-9]) + chunk(b""))], "upstream_error"),
    "U4 no last chunk": ([Close()], "upstream_error"),
    "U4 chunk cut short": ([Send(b"99\r\ndata: {"), Close()], "upstream_error"),
    "U4 chunk of no number": ([Send(b"what\r\n")], "upstream_bad_response"),
    "U11 a line of 4 MB": (
        [Send(chunk(b"data: " + b"x" * 4 * MB)), Hang()],
        "upstream_bad_response",
    ),
    "U11 a byte at a time": (
        [Send(chunk(b"data: ") + chunk(b"x") * 1_100_000), Hang()],
        "upstream_bad_response",
    ),
    "U15 reset": ([Pause(0.05), Reset()], "upstream_error"),
}  # fmt: skip


@pytest.mark.parametrize("row", BROKEN)
async def test_a_stream_that_breaks_ends_with_one_error(front: Front, engine: Engine, row: str):
    end, code = BROKEN[row]
    engine.script = lambda _: [*answers.chunked([A], headers=EVENTS)[:-1], *end]

    response = await front.post({"model": "small", "stream": True})

    assert response.content.startswith(A)
    last = response.content.removeprefix(A).removeprefix(b"data: ")
    assert json.loads(last)["error"]["code"] == code
    await the_next_is_good(front, engine)


UNFRAMED = Send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")


async def test_a_stream_that_ends_with_its_connection_needs_its_last_event(
    front: Front, engine: Engine
):
    """U10: or one that was cut could not be told from a whole one."""
    engine.script = lambda _: [UNFRAMED, Send(A), Send(DONE), Close()]
    assert (await front.post({"model": "small"})).content == A + DONE
    engine.script = lambda _: [UNFRAMED, Send(A), Close()]

    response = await front.post({"model": "small"})

    assert response.content.startswith(A + b'data: {"error"')
    await the_next_is_good(front, engine)


async def test_a_stream_has_an_end(door: str, engine: Engine):
    """U14: a token every now and then, for ever."""
    drip = [step for _ in range(1_000) for step in (Send(chunk(A)), Pause(0.02))]
    engine.script = lambda _: [*answers.chunked([A], headers=EVENTS)[:-1], *drip]
    async with serve(door, timeouts={"total": 0.6}) as front:
        front.offer(engine.address)

        response = await front.post({"model": "small", "stream": True})

        *passed, last = response.content.removesuffix(b"\n\n").split(b"\n\n")
        assert set(passed) == {A.rstrip()}
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_timeout"
        await (await engine.request()).connection.closed_within(10)


# Rows that need what is not built yet.
LATER = {
    "U4, U15 asking another service": "failover",
    "U12 budgets never decrease": "budgets; what usage is believed: tests/unit/gateway",
}
