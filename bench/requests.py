"""Requests as the fake engine reads them: where one ends and what it asks for."""

import re

# What can be asked for; also the names of the answers.
COMPLETION, STREAM, MODELS, HEALTH, UNKNOWN = "completion", "stream", "models", "health", "unknown"

MAX_BYTES = 1 << 20  # of one request

_LENGTH = b"\r\ncontent-length:"
_CHUNKED = b"\r\ntransfer-encoding: chunked"
_STREAM = b'"stream"'
_TRUE = re.compile(rb" *: *true")
_PATHS = {b"/v1/models": MODELS, b"/health": HEALTH}
_LAST_CHUNK = b"\r\n0\r\n\r\n"


def first(data: bytes) -> tuple[str, int] | None:
    """Return what the first request in `data` asks for and its length in bytes.

    None: it is not there as a whole. Trailers after a chunked body are not understood.

    Raises:
        ValueError: its length is no number.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[: end + 2].lower()
    length = end + 4
    found = head.find(_LENGTH)
    if found >= 0:
        found += len(_LENGTH)
        length += int(head[found : head.find(b"\r", found)])
    elif _CHUNKED in head:
        last = data.find(_LAST_CHUNK, end + 2)
        if last < 0:
            return None
        length = last + len(_LAST_CHUNK)
    if len(data) < length:
        return None
    if head.startswith(b"post "):
        # A search without an expression: most bodies are scanned to their end.
        found = data.find(_STREAM, end, length)
        streams = found >= 0 and _TRUE.match(data, found + len(_STREAM))
        return (STREAM if streams else COMPLETION), length
    path = head.split(b" ", 2)[1:2]
    return _PATHS.get(path[0], UNKNOWN) if path else UNKNOWN, length
