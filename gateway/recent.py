"""The requests of this process that people may still ask about: those that ended last."""

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from gateway.record import Record

LIMIT = 1_000  # of each kind
AT_ONCE = 100  # of which nothing is to be said


class Ended(Protocol):
    """An exchange that is over, as far as it is remembered. It holds no content any more."""

    noteworthy: bool  # whether somebody may want to know why: `Record.noteworthy`

    def record(self) -> Record:
        """Return what can be told of it."""


class Recent:
    """The last requests of which nothing is to be said, and as many of the others.

    The latter have a place of their own, so that a burst of good ones does not push out what
    somebody wants to look at. What is told is made when it is asked for. Of thousands a
    second only some are kept, those that come first after each `breathe`: nobody could look
    at all, and to keep each of them costs a twentieth of what it takes to serve it.
    """

    __slots__ = ("noteworthy", "plain", "room")

    def __init__(self, limit: int = LIMIT) -> None:
        self.plain: deque[Ended] = deque(maxlen=limit)
        self.noteworthy: deque[Ended] = deque(maxlen=limit)
        self.room = AT_ONCE

    def breathe(self) -> None:
        """Have room for some more of which nothing is to be said."""
        self.room = AT_ONCE

    def add(self, exchange: Ended) -> None:
        """Remember one that has just ended; one that is not noteworthy only if there is `room`."""
        if exchange.noteworthy:
            self.noteworthy.append(exchange)
        else:
            self.room -= 1
            self.plain.append(exchange)

    def records(self) -> Iterator[Record]:
        """Yield what can be told, of all of them."""
        for ended in (*self.noteworthy, *self.plain):
            yield ended.record()
