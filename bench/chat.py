"""The chat request that the load generator sends."""

import json

_WORDS = "Explain in two short sentences why a gateway should not be slower than its engines. "


def body(model: str, size: int, *, stream: bool) -> bytes:
    """Return the body of a chat request of `size` bytes, or a little more than nothing.

    A stream asks for its usage, so that every gateway has the same events to carry.
    """
    content: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": ""}],
        "max_tokens": 128,
        "temperature": 0.7,
    }
    if stream:
        content |= {"stream": True, "stream_options": {"include_usage": True}}
    missing = max(1, size - len(json.dumps(content)))
    text = (_WORDS * (missing // len(_WORDS) + 1))[:missing]
    content["messages"] = [{"role": "user", "content": text}]
    return json.dumps(content).encode()


def post(host: str, path: str, content: bytes, key: str | None) -> bytes:
    """Return the whole request: head and body. host: with its port."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *([f"Authorization: Bearer {key}"] if key else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content
