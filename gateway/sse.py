"""A stream of server-sent events, cut at event boundaries and changed only where it must be."""

import re
from collections import deque

from control.api.errors import UpstreamBadResponse, UpstreamError
from gateway.reasoning import Unreadable, Usage, cleaned, may_hide
from gateway.timings import TIMINGS_KEY, Timings, of_answer
from gateway.verdict import error_in

MAX_EVENT_BYTES = 1 << 20
DONE = b"data: [DONE]\n\n"

# WHATWG HTML, 9.2.5: lines end with CR, LF or CRLF and with nothing else, so
# never use `splitlines` here (it also cuts at U+2028). An empty line ends an
# event. Atomic, or CRLF would match as two ends.
_BOUNDARY = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|$)")
# Of comments alone: by the book a client reads nothing in them.
_COMMENTS = re.compile(rb"(?:(?::[^\r\n]*+)?[\r\n])*+")
_NO_USAGE = b'"usage":null'

_END = b"[DONE]"
_LAST_DONE = b"\n\n" + DONE
# How an answer ended is told by its last events: the reason, then perhaps what it used.
_LAST_SEGMENTS = 4
_LAST_BYTES = 4 << 10  # of each
_ERROR = b'"error"'
_REASON = re.compile(rb'(?<!\\)"finish_reason"\s*:\s*"')


class Scanner:
    """Passes a stream on in whole events, without hidden reasoning, and judges its end.

    Events without a needle pass unparsed and unchanged, byte for byte. The part
    of an event that has not ended yet is held back.

    usage: the last that the engine told. ended: the answer is over, whatever becomes of the
    connection: `[DONE]` came, or was put to what an engine ended well without it.
    """

    __slots__ = ("_framed", "_held", "_last", "_returns", "_scanned", "_strip", "ended", "usage")

    def __init__(self, *, strip: bool = True, framed: bool = True) -> None:
        """framed: whether a stream that is cut can be told from one that ends."""
        self._held = bytearray()
        self._scanned = 0  # no boundary starts before this place in `_held`
        self._returns = False  # whether `_held` has a CR
        self._last: deque[bytes] = deque(maxlen=_LAST_SEGMENTS)
        self._strip = strip
        self._framed = framed
        self.ended = False
        self.usage: Usage | None = None

    def feed(self, data: bytes) -> bytes:
        """Return what may be sent now, possibly nothing.

        Raises:
            UpstreamBadResponse: one event is larger than `MAX_EVENT_BYTES`.
        """
        if self.ended:
            return b""
        # Most often: one segment, whole events, lines that end with LF.
        if not self._held and data.endswith(b"\n\n") and 0x0D not in data:
            return self._pass(data)
        passed = self._cut(data)
        return self._pass(passed) if passed else b""

    def finish(self) -> bytes:
        """Return what is left to send now that the stream is over.

        Of an answer that is whole that is its end, unless it was sent; nothing follows an
        error of the engine's own.

        Raises:
            UpstreamError: the stream is over, but the answer is not.
        """
        if self.ended:
            return b""
        unended = self._unended()
        passed = self._pass(unended) if unended else b""
        if self.ended or self.failed:
            return passed
        # Where only the connection's end would tell, a cut stream looks like a whole one.
        if not (self._framed and _REASON.search(b"".join(self._last))):
            raise UpstreamError("the engine ended its stream before its answer was whole")
        self.ended = True
        return passed + DONE

    @property
    def failed(self) -> UpstreamError | None:
        """The error that the engine told last, if it did: it has passed, no other may follow."""
        return _error_among(b"".join(self._last))

    @property
    def timings(self) -> Timings | None:
        """How long the engine worked on it, if its last events tell. Costs nothing until asked."""
        last = b"".join(self._last)
        if TIMINGS_KEY not in last:
            return None
        told = (of_answer(data_of(event)) for event in reversed(split(last)))
        return next(filter(None, told), None)

    def _unended(self) -> bytes:
        """Return what is held as the event it would be, nothing when it was cut within."""
        event = bytes(self._held).rstrip(b"\r\n") + b"\n\n"
        self._held.clear()
        try:
            return event if _is_end(event) or cleaned(data_of(event), strip=False) else b""
        except Unreadable:
            return b""

    def _cut(self, data: bytes) -> bytes:
        """Return the whole events of what is held and `data`; hold the rest."""
        returns = self._returns or 0x0D in data
        if self._held:
            self._held += data
            end = self._end_of_events(self._held, returns)
            passed = bytes(self._held[:end])
            del self._held[:end]
        else:
            end = self._end_of_events(data, returns)
            passed = data if end == len(data) else data[:end]
            self._held += data[end:]
        # Only what came last needs to be looked at again: a boundary is at most 4 bytes.
        self._scanned = max(len(self._held) - 3, 0)
        self._returns = returns and 0x0D in self._held if end else returns
        if len(self._held) > MAX_EVENT_BYTES:
            self._held.clear()
            raise UpstreamBadResponse(f"one event is larger than {MAX_EVENT_BYTES} bytes")
        return passed

    def _end_of_events(self, data: bytes | bytearray, returns: bool) -> int:
        """Return where the last whole event in `data` ends, 0 when there is none."""
        if not returns:
            found = data.rfind(b"\n\n", self._scanned)
            return found + 2 if found >= 0 else 0
        end = 0
        for boundary in _BOUNDARY.finditer(data, self._scanned):
            end = boundary.end()
        return end

    def _pass(self, events: bytes) -> bytes:
        # One byte, as a number, is found much faster than six.
        if 0x44 in events and events.find(_END) >= 0:
            events = self._to_end(events)
        self._last.append(events[-_LAST_BYTES:])
        hidden = self._strip and may_hide(events)
        if not hidden and events.find(b"usage") < 0:
            return events
        # Engines that count tokens at the end say `null` in every event before.
        if not hidden and events.count(b"usage") == events.count(_NO_USAGE):
            return events
        return b"".join(map(self._judge, split(events)))

    def _to_end(self, events: bytes) -> bytes:
        """Return `events` as far as the end of the answer, if that is among them."""
        start, end = _place_of_end(events)
        if start == end:
            return events
        self.ended = True
        failed = _error_among(b"".join((*self._last, events[max(start - _LAST_BYTES, 0) : start])))
        return events[: start if failed else end]

    def _judge(self, event: bytes) -> bytes:
        """Return `event` as the client may see it."""
        hidden = self._strip and may_hide(event)
        if not hidden and b"usage" not in event:
            return event
        plain = _is_plain(event)
        text = event[6:-2] if plain else data_of(event)
        try:
            changed, usage = cleaned(text, strip=self._strip)
        except Unreadable:
            # What cannot be read cannot be cleaned: not shown when it could hide something.
            if hidden:
                return DONE if _is_end(event) else b""
            return event
        self.usage = usage or self.usage
        if changed is text:
            return event
        return b"data: %b\n\n" % changed if plain else with_data(event, changed)


def only_comments(events: bytes) -> bool:
    """Return whether `events` hold nothing but comments, as of engines that are still busy."""
    return _COMMENTS.fullmatch(events) is not None


def first_error(events: bytes, service: str) -> UpstreamError | None:
    """Return what the first of `events` tells, if that is an error."""
    if _ERROR not in events:  # nearly always
        return None
    first = next(filter(None, map(data_of, split(events))), b"")  # comments tell nothing
    return error_in(first, service)


def _error_among(events: bytes) -> UpstreamError | None:
    if _ERROR not in events:
        return None
    told = (error_in(data_of(event), "the engine") for event in split(events) if _ERROR in event)
    return next(filter(None, told), None)


def _place_of_end(events: bytes) -> tuple[int, int]:
    """Return where the event that ends the answer begins and ends; twice 0 when none does."""
    start = len(events) - len(DONE)
    # Most often it is the last one, and written as here.
    if events.find(_END) == start + 6 and (events == DONE or events.endswith(_LAST_DONE)):
        return start, len(events)
    end = 0
    for event in split(events):
        start, end = end, end + len(event)
        if _is_end(event):
            return start, end
    return 0, 0


def _is_end(event: bytes) -> bool:
    return _END in event and data_of(event).strip() == _END


def split(events: bytes) -> list[bytes]:
    """Return the events in `events`, boundaries included; joined they are `events` again."""
    if 0x0D not in events:
        *ended, last = events.split(b"\n\n")
        parts = [event + b"\n\n" for event in ended]
        return [*parts, last] if last else parts
    parts = []
    start = 0
    for boundary in _BOUNDARY.finditer(events):
        parts.append(events[start : boundary.end()])
        start = boundary.end()
    if start < len(events):
        parts.append(events[start:])
    return parts


def data_of(event: bytes) -> bytes:
    """Return the data of `event`: its `data` lines, joined by LF."""
    lines = (line[1] for line in _LINE.finditer(event))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines if _is_data(line))


def with_data(event: bytes, data: bytes) -> bytes:
    """Return `event` with `data`, a JSON document, in place of its own; other lines stay."""
    data = data.replace(b"\n", b" ")  # between its tokens: on one line it means the same
    out = []
    written = False
    for line in _LINE.finditer(event):
        if not _is_data(line[1]):
            out.append(line[0])
        elif not written:
            out.append(b"data: " + data + line[2])
            written = True
    return b"".join(out)


def _is_plain(event: bytes) -> bool:
    """Return whether `event` is one line of data, written as nearly all engines do."""
    if not (event.startswith(b"data: ") and event.endswith(b"\n\n")):
        return False
    return event.find(b"\n") == len(event) - 2 and 0x0D not in event


def _is_data(line: bytes) -> bool:
    return line.startswith(b"data:") or line == b"data"
