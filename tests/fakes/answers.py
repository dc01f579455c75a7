"""What a model server can answer, as plain data: the script that `engine` plays."""

import base64
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes; done when the kernel has taken them all."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait this many seconds; 0 gives way once, so that two writes stay two."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Write nothing more and keep the connection open until the peer leaves."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection in order (FIN)."""


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection rudely (RST)."""


Step = Send | Pause | Hang | Close | Reset
# After the last step the connection waits for its next request.
Answer = Sequence[Step]


def head(status: int = 200, headers: Headers = ()) -> bytes:
    """Return a response head with exactly these headers, in this order."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def whole(
    body: bytes, status: int = 200, headers: Headers = (("Content-Type", "text/plain"),)
) -> Answer:
    """Return an answer with `Content-Length`, written at once."""
    return [Send(head(status, [*headers, ("Content-Length", str(len(body)))]) + body)]


def document(content: object, status: int = 200, headers: Headers = ()) -> Answer:
    """Return an answer with `content` as JSON."""
    body = json.dumps(content).encode()
    return whole(body, status, [("Content-Type", "application/json"), *headers])


def chunk(data: bytes) -> bytes:
    """Return `data` as one chunk of the chunked coding; empty data ends the body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunked(parts: Iterable[bytes], status: int = 200, headers: Headers = ()) -> Answer:
    """Return an answer in the chunked coding, one write and one chunk a part."""
    steps: list[Step] = [Send(head(status, [*headers, ("Transfer-Encoding", "chunked")]))]
    for part in parts:
        steps += [Pause(0), Send(chunk(part))]
    return [*steps, Pause(0), Send(chunk(b""))]


def events(parts: Iterable[bytes], pace: float = 0.0) -> Answer:
    """Return a server-sent event stream, `pace` seconds before each part.

    The parts are sent as they are; `data` frames a document as an event.
    """
    first, *rest = chunked(parts, headers=[("Content-Type", "text/event-stream")])
    return [first, *(Pause(pace) if isinstance(step, Pause) else step for step in rest)]


def data(content: object) -> bytes:
    """Return one event that carries `content` as JSON, or the text of a `str`."""
    text = content if isinstance(content, str) else json.dumps(content)
    return f"data: {text}\n\n".encode()


def sent(answer: Answer) -> bytes:
    """Return all bytes of an answer."""
    return b"".join(step.data for step in answer if isinstance(step, Send))


def cut(answer: Answer, at: int, end: Close | Reset | Hang) -> Answer:
    """Return `answer` up to byte `at`, then `end`."""
    steps: list[Step] = []
    for step in answer:
        if not isinstance(step, Send):
            steps.append(step)
            continue
        steps.append(Send(step.data[:at]))
        at -= len(step.data)
        if at <= 0:
            break
    return [*steps, end]


def sliced(answer: Answer, size: int) -> Answer:
    """Return `answer` in writes of at most `size` bytes, whatever its chunks are."""
    return list(_sliced(answer, size))


def _sliced(answer: Answer, size: int) -> Iterator[Step]:
    for step in answer:
        if not isinstance(step, Send):
            yield step
            continue
        for start in range(0, len(step.data), size):
            yield Send(step.data[start : start + size])
            yield Pause(0)


def completion(text: str, model: str) -> dict[str, Any]:
    """Return a chat completion as OpenAI shapes it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": usage(text),
    }


def completion_events(words: Sequence[str], model: str, *, with_usage: bool = False) -> list[bytes]:
    """Return the events of a streamed chat completion, one a word, `[DONE]` last."""
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words), {}]
    last = len(deltas) - 1
    parts = [
        _chunk_of_completion(model, delta, "stop" if index == last else None)
        for index, delta in enumerate(deltas)
    ]
    if with_usage:
        parts.append({**parts[0], "choices": [], "usage": usage("".join(words))})
    return [*(data(part) for part in parts), data("[DONE]")]


def embeddings(
    values: Sequence[float], model: str, dimensions: int, *, encoded: bool = False
) -> dict[str, Any]:
    """Return a vector for each of `values`, all of its numbers being that value.

    encoded: as base64 of 32-bit floats, which the client of OpenAI asks for.
    """
    vectors: list[Any] = [[value] * dimensions for value in values]
    if encoded:
        packed = (struct.pack(f"<{dimensions}f", *vector) for vector in vectors)
        vectors = [base64.b64encode(one).decode() for one in packed]
    return {
        "object": "list",
        "model": model,
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": len(values), "total_tokens": len(values)},
    }


def usage(text: str) -> dict[str, int]:
    """Return a token count; a word is a token and every prompt has seven."""
    words = len(text.split())
    return {"prompt_tokens": 7, "completion_tokens": words, "total_tokens": 7 + words}


def failure(status: int, message: str, kind: str = "invalid_request_error") -> Answer:
    """Return an error as llama.cpp shapes it."""
    return document({"error": {"code": status, "message": message, "type": kind}}, status)


def _chunk_of_completion(
    model: str, delta: dict[str, str], finish_reason: str | None
) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": model,
        "choices": [choice],
    }
