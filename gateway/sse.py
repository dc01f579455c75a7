"""A stream of server-sent events, cut at event boundaries and changed only where it must be."""

import re

from control.api.errors import UpstreamBadResponse
from gateway.reasoning import Unreadable, Usage, cleaned, may_hide

MAX_EVENT_BYTES = 1 << 20

# WHATWG HTML, 9.2.5: lines end with CR, LF or CRLF and with nothing else, so
# never use `splitlines` here (it also cuts at U+2028). An empty line ends an
# event. Atomic, or CRLF would match as two ends.
_BOUNDARY = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|$)")
_NO_USAGE = b'"usage":null'


class Scanner:
    """Passes a stream on in whole events, without hidden reasoning.

    Events without a needle pass unparsed and unchanged, byte for byte. The part
    of an event that has not ended yet is held back. `usage` is the last that
    the engine told.
    """

    __slots__ = ("_held", "_returns", "_scanned", "_strip", "usage")

    def __init__(self, *, strip: bool = True) -> None:
        self._held = bytearray()
        self._scanned = 0  # no boundary starts before this place in `_held`
        self._returns = False  # whether `_held` has a CR
        self._strip = strip
        self.usage: Usage | None = None

    def feed(self, data: bytes) -> bytes:
        """Return what may be sent now, possibly nothing.

        Raises:
            UpstreamBadResponse: one event is larger than `MAX_EVENT_BYTES`.
        """
        # Most often: one segment, whole events, lines that end with LF.
        if not self._held and data.endswith(b"\n\n") and 0x0D not in data:
            return self._pass(data)
        passed = self._cut(data)
        return self._pass(passed) if passed else b""

    def finish(self) -> bytes:
        """Return what was held back, judged as if it were a whole event."""
        held = bytes(self._held)
        self._held.clear()
        return self._pass(held)

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
        hidden = self._strip and may_hide(events)
        if not hidden and events.find(b"usage") < 0:
            return events
        # Engines that count tokens at the end say `null` in every event before.
        if not hidden and events.count(b"usage") == events.count(_NO_USAGE):
            return events
        return b"".join(map(self._judge, split(events)))

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
            return b"" if hidden else event
        self.usage = usage or self.usage
        if changed is text:
            return event
        return b"data: %b\n\n" % changed if plain else with_data(event, changed)


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
