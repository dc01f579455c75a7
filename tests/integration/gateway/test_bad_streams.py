"""However an engine streams, the client sees one stream, and one end or one error."""

import asyncio
import json

import pytest

from tests.fakes import answers
from tests.fakes.answers import Answer, Close, Hang, Pause, Reset, Send, chunk, data
from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front, request
from tests.integration.gateway.front import front as serve
from tests.integration.gateway.replies import (
    DONE,
    EVENTS,
    FAILURE,
    LAST,
    A,
    B,
    the_next_is_good,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["direct", "relay"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


MB = 1_000_000
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
        [step for _ in range(100) for step in (Send(chunk(B)), Pause(0.1))],
        [Pause(0.05), Send(b"what\r\n")],
    ],
    ids=["nothing", "reset", "close", "more", "more and more", "not HTTP"],
)
async def test_after_the_end_nothing_can_go_wrong(front: Front, engine: Engine, end: Answer):
    """U10: the client has its answer, however the engine goes on."""
    engine.script = lambda _: [*answers.chunked([A, DONE], headers=EVENTS)[:-1], *end]

    response = await front.post({"model": "small", "stream": True})

    assert response.content == A + DONE
    assert [(one.answered, one.errors) for one in front.gateway.meter.waits()] == [(1, {})]
    await engine.connections[0].closed_within(10)
    await the_next_is_good(front, engine)


async def test_who_leaves_with_the_end_has_been_answered(front: Front, engine: Engine):
    """As clients do that read `[DONE]`; the engine has not closed its stream yet."""
    used = data({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9}})
    engine.script = lambda _: [*answers.chunked([A, used, DONE], headers=EVENTS)[:-1], Hang()]
    reader, writer = await front.connect()
    writer.write(request(b'{"model":"small","stream":true}'))
    async with asyncio.timeout(30):
        await reader.readuntil(DONE)

    writer.close()

    await front.idle()
    (counted,) = front.gateway.meter.waits()
    assert (counted.answered, counted.abandoned, counted.completion_tokens) == (1, 0, 9)


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


# What engines say that an answer took, and what of it is believed.
USAGES = {
    "absent": ([None], (0, 0)),
    "negative": ([{"prompt_tokens": -5, "completion_tokens": 3}], (0, 3)),
    "a float": ([{"prompt_tokens": 1e308, "completion_tokens": 1.5}], (0, 0)),
    "too much": ([{"prompt_tokens": 2**53, "completion_tokens": 2**64}], (0, 0)),
    "a text": ([{"prompt_tokens": "12", "completion_tokens": 3}], (0, 3)),
    "no object": (["12"], (0, 0)),
    "twice": ([{"prompt_tokens": 7, "completion_tokens": n} for n in (1, 9)], (7, 9)),
    "twice, at last nonsense": ([{"prompt_tokens": 7, "completion_tokens": 9}, -5], (7, 9)),
}


@pytest.mark.parametrize("row", USAGES)
async def test_an_impossible_usage_is_not_counted(front: Front, engine: Engine, row: str):
    """U12: a count never decreases."""
    usages, believed = USAGES[row]
    documents = [{"choices": [], "usage": usage} for usage in usages]
    streamed = answers.events([*map(data, documents), DONE])
    for answer in (streamed, answers.document(documents[0])):
        engine.script = lambda _, answer=answer: answer

        assert (await front.post({"model": "small"})).status_code == 200

        (counted,) = front.gateway.meter.take(1)
        if answer is streamed or len(usages) == 1:
            assert (counted.prompt_tokens, counted.completion_tokens) == believed


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
