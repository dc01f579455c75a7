"""Pieces of what engines answer, and the question that gets them."""

from tests.fakes import answers
from tests.fakes.answers import Answer, Send, data
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import Front, request

ASK = request(b'{"model":"small"}', "Connection: close")
JSON = [("Content-Type", "application/json")]
EVENTS = [("Content-Type", "text/event-stream")]
JSON_LINES = ["Content-Type: application/json"]

DONE = data("[DONE]")
A, B = data({"n": "a"}), data({"n": "b"})
LAST = data({"choices": [{"finish_reason": "stop"}]})
FAILURE = data({"error": {"message": "out of memory"}})
STREAMED = answers.chunked([], headers=EVENTS)[:1]


def raw(*lines: str, body: bytes = b"{}") -> Answer:
    """Return an answer of just these header lines after a status line that is good."""
    return [Send("\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1") + body)]


async def the_next_is_good(front: Front, engine: Engine) -> None:
    """Check that what went wrong left nothing behind."""
    engine.script = openai(["small"])
    assert (await front.raw(ASK)).startswith(b"HTTP/1.1 200 ")
    assert not front.gateway.loads()
