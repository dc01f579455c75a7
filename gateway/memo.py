"""Heads that were parsed before, and what they mean.

Clients and engines send the same head again and again, but for its length. What a
parser has understood once means the same the next time: not parsing it again saves
most of the cost of HTTP.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import httptools

T = TypeVar("T")

MAX_HEADS = 1_024
MAX_HEAD_BYTES = 4_096  # a longer one is not remembered
MAX_DIGITS = 9
# Stands for the length when a head is learned. A head that has it elsewhere, too, is not
# remembered: whoever wrote it may want another number to be taken for the length.
PROBE = 987_654_321

_END = b"\r\n\r\n"
_LENGTH = b"ength: "  # of `Content-Length: ` and of `content-length: `

# A head without its length: what stands before it, what ends its line, what comes then.
_Shape = tuple[bytes, bytes, bytes]


class Memo(Generic[T]):
    """Remembers heads of messages whose body has a length.

    read: asks a parser what a head means that ends with its last byte and whose length
    is `PROBE`. It returns None for a head that is not to be remembered; it must do so
    when the parser finds another length, for then the number in it is that of another
    header.
    """

    def __init__(self, read: Callable[[bytes], T | None]) -> None:
        self._read = read
        self._known: dict[_Shape, T | None] = {}  # None: not to be remembered
        self._once: set[int] = set()  # hashes of heads that came once

    def recall(self, data: bytes) -> tuple[T, int, bytes] | None:
        """Return what the head at the start of `data` means, its length, and what follows it.

        None when it is not known, or not whole.
        """
        head, end, body = data.partition(_END)
        before, _, rest = head.partition(_LENGTH)
        digits, line_end, after = rest.partition(b"\r")
        known = self._known.get((before, line_end, after))
        if known is None or not end or len(digits) > MAX_DIGITS or not digits.isdigit():
            return None
        return known, int(digits), body

    def learn(self, data: bytes) -> None:
        """Remember the head at the start of `data` when it comes again, if it can be.

        Many never do, as they name their request: to read these as well would cost more
        than it saves, and they would push out the others.
        """
        head, end, _ = data.partition(_END)
        before, name, rest = head.partition(_LENGTH)
        if not (name and end) or len(head) > MAX_HEAD_BYTES:
            return
        _, line_end, after = rest.partition(b"\r")
        shape = before, line_end, after
        if shape in self._known:
            return
        mark = hash(shape)
        if mark not in self._once:
            if len(self._once) >= MAX_HEADS:
                self._once.clear()
            self._once.add(mark)
            return
        if len(self._known) >= MAX_HEADS:
            self._known.clear()
        self._known[shape] = self._read(
            b"%b%b%d%b%b%b" % (before, _LENGTH, PROBE, line_end, after, _END)
        )


class Parser(Protocol):
    def feed_data(self, data: bytes) -> None: ...

    def get_http_version(self) -> str: ...

    def should_keep_alive(self) -> bool: ...


class Seen:
    """What a parser found in a head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.whole = False
        self.followed = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.whole = True

    def on_body(self, body: bytes) -> None:
        self.followed = True

    def on_message_complete(self) -> None:
        self.followed = True

    def is_plain(self, parser: Parser, raw: bytes) -> bool:
        """Return whether `raw` is one head with a body of a length, and nothing is special."""
        try:
            parser.feed_data(raw)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        return (
            self.whole
            and not self.followed
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and dict(self.headers).get(b"content-length") == b"%d" % PROBE
            and raw.count(b"%d" % PROBE) == 1
        )
