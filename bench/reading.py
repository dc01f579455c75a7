"""Answers as the load generator reads them: complete or not, and how many events came.

Bytes may be split anywhere. Nothing is kept of a body but its unfinished event.
"""

_LENGTH = b"\r\ncontent-length:"
_CHUNKED = b"\r\ntransfer-encoding: chunked"
_EVENTS = b"\r\ncontent-type: text/event-stream"
_CLOSES = b"\r\nconnection: close"
_DONE = b"data: [DONE]"

MAX_HELD_BYTES = 1 << 20  # of a head, a chunk's size or an event that does not end


class Malformed(Exception):
    """An answer that is not HTTP, or does not end where it says."""


class Chunks:
    """The chunked coding of a body."""

    __slots__ = ("_held", "_left", "ended")

    def __init__(self) -> None:
        # Every chunk but the first follows the end of a line; so does the first, then.
        self._held = b"\r\n"
        self._left = 0
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """Return what `data` adds to the body; `ended` tells whether that was all.

        Raises:
            Malformed: the size of a chunk is no number, or bytes follow the end.
        """
        if self._held:
            data = self._held + data
            self._held = b""
        pieces = []
        at = 0
        while True:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
            line = data.find(b"\r\n", at + 2)
            if line < 0:
                self._held = data[at:]
                break
            try:
                self._left = int(data[at + 2 : line].partition(b";")[0], 16)
            except ValueError as error:
                raise Malformed("the size of a chunk is no number") from error
            if self._left == 0:
                # After the last size come trailers, if any, and an empty line.
                end = data.find(b"\r\n\r\n", line)
                self._held = data[at:] if end < 0 else b""
                self.ended = end >= 0
                if 0 <= end < len(data) - 4:
                    raise Malformed("bytes follow the end of the body")
                break
            at = line + 2
        if len(self._held) > MAX_HELD_BYTES:
            raise Malformed("a chunk without a size")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Events:
    """The events of a stream. Counted, not read; `[DONE]` is none."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> int:
        """Return how many events end in `data`.

        Raises:
            Malformed: an event of more than 1 MB.
        """
        if self._held:
            data = self._held + data
        count = data.count(b"\n\n")
        end = data.rfind(b"\n\n") + 2 if count else 0
        if b"\r" in data and (found := data.count(b"\n\r\n")):
            count += found
            end = max(end, data.rfind(b"\n\r\n") + 3)
        self._held = data[end:]
        if len(self._held) > MAX_HELD_BYTES:
            raise Malformed("an event of more than 1 MB")
        return count - data.count(_DONE, 0, end)


class Reader:
    """The answers on one connection, one after another.

    `status`, `streams` for an event stream and `closes` when no other follows on this
    connection belong to the answer that was fed last;
    `fresh` is how many events the last feed brought, `events` how many the answer did.
    """

    __slots__ = (
        "_chunks",
        "_held",
        "_in_body",
        "_left",
        "_repeated",
        "_scanner",
        "closes",
        "events",
        "fresh",
        "status",
        "streams",
    )

    def __init__(self) -> None:
        self._repeated = b""
        self.reset()

    def reset(self) -> None:
        """Expect the head of an answer."""
        self.status = self.events = self.fresh = 0
        self.streams = self.closes = self._in_body = False
        self._held = b""
        self._left: int | None = None  # bytes of the body to come; None: it tells its end itself
        self._chunks: Chunks | None = None
        self._scanner: Events | None = None

    def feed(self, data: bytes) -> bool:
        """Return whether the answer is complete with `data`; `reset` before the next one.

        Raises:
            Malformed: this is no answer.
        """
        if self._in_body:
            return self._body(data)
        if data == self._repeated:
            # The same bytes as the last answer: comparing is cheaper than reading again.
            self.status = 200
            return True
        received = self._held + data if self._held else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            if len(received) > MAX_HELD_BYTES:
                raise Malformed("a head without an end")
            self._held = received
            return False
        self._head(received[: end + 2].lower())
        complete = self._body(received[end + 4 :])
        plain = self.status == 200 and not self.streams and not self.closes
        if complete and plain and received is data:
            self._repeated = data
        return complete

    def ended(self) -> bool:
        """Return whether the answer is complete now that the connection is closed."""
        return self._in_body and self._left is None and self._chunks is None

    def _head(self, head: bytes) -> None:
        try:
            self.status = int(head[9:12])
            found = head.find(_LENGTH)
            if found >= 0:
                found += len(_LENGTH)
                self._left = int(head[found : head.find(b"\r", found)])
        except ValueError as error:
            raise Malformed("a head without a status or length") from error
        if _CHUNKED in head:
            self._left, self._chunks = None, Chunks()
        if _EVENTS in head:
            self.streams, self._scanner = True, Events()
        self.closes = _CLOSES in head
        self._in_body = True
        self._held = b""

    def _body(self, data: bytes) -> bool:
        complete = False
        if self._chunks:
            data = self._chunks.feed(data)
            complete = self._chunks.ended
        elif self._left is not None:
            self._left -= len(data)
            complete = self._left == 0
            if self._left < 0:
                raise Malformed("bytes follow the end of the body")
        if self._scanner:
            self.fresh = self._scanner.feed(data)
            self.events += self.fresh
        return complete
