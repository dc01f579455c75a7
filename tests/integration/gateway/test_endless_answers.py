"""An engine that never comes to an end is given up, whatever it sends meanwhile."""

import json

import pytest

from tests.fakes import answers
from tests.fakes.answers import Answer, Hang, Pause, Send, chunk
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import front as serve
from tests.integration.gateway.replies import (
    JSON_LINES,
    STREAMED,
    raw,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["direct", "relay"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def drip(data: bytes, *, times: int = 1) -> Answer:
    """Return `data` a byte at a time, each sooner than any timeout of `SLOW`."""
    return [step for byte in data * times for step in (Send(bytes([byte])), Pause(0.02))]


HEADED = raw(*JSON_LINES, "Content-Length: 900", body=b"")
CHUNKED = raw(*JSON_LINES, "Transfer-Encoding: chunked", body=b"")
SLOW = {"first_byte": 0.3, "first_event": 0.3, "idle": 0.3, "total": 0.9}

# Engines that take their time, and the timeout that bounds them.
ENDLESS = {
    "nothing": ([Hang()], "first_byte"),
    "half a head": ([Send(b"HTTP/1.1 200 OK\r\nX: "), Hang()], "first_byte"),
    "a head in drips": (drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 900), "first_byte"),
    "1xx for ever": (
        [step for _ in range(900) for step in (Send(answers.head(103)), Pause(0.02))],
        "first_byte",
    ),
    "a head": ([*HEADED, Hang()], "idle"),
    "a head of chunks": ([*CHUNKED, Hang()], "idle"),
    "half a document": ([*HEADED, Send(b"{"), Hang()], "idle"),
    "the name of a chunk in drips": ([*CHUNKED, *drip(b"9;" + b"x" * 900)], "idle"),
    "trailers in drips": (
        [*CHUNKED, Send(chunk(b"{}") + b"0\r\n"), *drip(b"X: y\r\n", times=90)],
        "idle",
    ),
    "a document in drips": ([*HEADED, *drip(b"[" * 900)], "total"),
    "the head of a stream": ([*STREAMED, Hang()], "first_event"),
    "an event in drips": ([*STREAMED, *drip(chunk(b"x"), times=300)], "first_event"),
    "comments": ([*STREAMED, *drip(chunk(b":\n\n"), times=100)], "first_event"),
}


@pytest.mark.parametrize("row", ENDLESS)
async def test_an_engine_without_an_end_is_given_up(engine: Engine, row: str):
    answer, bound = ENDLESS[row]
    engine.script = lambda _: answer
    async with serve("protocol", timeouts=SLOW) as front:
        front.offer(engine.address)

        response = await front.post({"model": "small", "stream": True})

        # After a comment the head is out, and the error is an event.
        assert response.status_code == (200 if row == "comments" else 504)
        error = json.loads(response.text.rpartition("data: ")[2])["error"]
        assert error["code"] == "upstream_timeout"
        assert bound in error["message"]
        await engine.connections[0].closed_within(10)
        engine.script = openai(["small"])
        assert (await front.post({"model": "small"})).status_code == 200
