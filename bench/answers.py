"""What the fake engine answers, as bytes that are ready to be sent."""

import json
from dataclasses import dataclass

# About what a short answer of a real engine weighs: 0.46 kB whole, 0.2 kB an event.
_TEXT = (
    "This is the answer of a fake engine. It is always the same, and long enough to look like "
    "a short paragraph of text, so that whoever carries it, and whoever reads it, has to do "
    "something for it. Here it ends."
)
_PROMPT_TOKENS, _TEXT_TOKENS = 23, 42
_END = b"data: [DONE]\n\n"
_CREATED = 1_700_000_000  # Unix seconds


@dataclass(frozen=True, slots=True)
class Answers:
    """Every answer of one engine, with its HTTP head or chunk framing.

    `opening`, `event` and `closing` are the parts of a stream: the head, one token, and
    what follows the last one: its usage, `[DONE]` and the end of the body.
    """

    completion: bytes
    opening: bytes
    event: bytes
    closing: bytes
    models: bytes
    health: bytes
    unknown: bytes


def answers(models: int, tokens: int) -> Answers:
    """Return the answers of an engine that lists so many models; `tokens`: of a stream."""
    names = [f"bench-{number:04}" for number in range(models)]
    entries = [{"id": name, "object": "model", "owned_by": "bench"} for name in names]
    choice = {"index": 0, "message": {"role": "assistant", "content": _TEXT}, "logprobs": None}
    whole = {**_head("chat.completion"), "choices": [{**choice, "finish_reason": "stop"}]}
    delta = {"index": 0, "delta": {"content": " token"}, "logprobs": None, "finish_reason": None}
    chunk = _head("chat.completion.chunk")
    return Answers(
        completion=_document("200 OK", {**whole, "usage": _usage(_TEXT_TOKENS)}),
        opening=(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
            b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
        ),
        event=_chunk(_event(_json({**chunk, "choices": [delta]}))),
        closing=_chunk(_event(_json({**chunk, "choices": [], "usage": _usage(tokens)})) + _END)
        + _chunk(b""),
        models=_document("200 OK", {"object": "list", "data": entries}),
        health=_document("200 OK", {"status": "ok"}),
        unknown=_document("404 Not Found", {"error": {"message": "no such path"}}),
    )


def _usage(tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": _PROMPT_TOKENS,
        "completion_tokens": tokens,
        "total_tokens": _PROMPT_TOKENS + tokens,
    }


def _head(kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-bench", "object": kind, "created": _CREATED, "model": "bench"}


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _document(status: str, content: object) -> bytes:
    body = _json(content)
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
