"""What a client tells of the trace that its request belongs to: W3C Trace Context."""

import re
from collections.abc import Mapping
from contextvars import ContextVar

PARENT, STATE = "traceparent", "tracestate"

_PARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_STATE = re.compile(rb"[\x20-\x7e]{1,512}")

TraceContext = Mapping[str, str]
NO_TRACE: TraceContext = {}
# Of what the running task does: what it asks others for belongs to the same trace.
current: ContextVar[TraceContext] = ContextVar("trace", default=NO_TRACE)


def read(headers: Mapping[bytes, bytes]) -> TraceContext:
    """Return what is told, empty when it is nothing that others would understand.

    headers: names in lower case.
    """
    parent = headers.get(b"traceparent")
    if parent is None or _PARENT.fullmatch(parent) is None:
        return NO_TRACE
    state = headers.get(b"tracestate", b"")
    if _STATE.fullmatch(state) is None:
        return {PARENT: parent.decode()}
    return {PARENT: parent.decode(), STATE: state.decode()}


def lines(context: TraceContext) -> bytes:
    """Return the header lines that tell it on."""
    return "".join(f"{name}: {value}\r\n" for name, value in context.items()).encode()
