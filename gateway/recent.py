"""The requests of this process that people may still ask about: those that ended last."""

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from gateway.record import Record

LIMIT = 1_000  # of each kind


class Ended(Protocol):
    """An exchange that is over, as far as it is remembered. It holds no content any more."""

    @property
    def noteworthy(self) -> bool:
        """Whether somebody may want to know why it went as it did: `Record.noteworthy`."""

    def record(self) -> Record:
        """Return what can be told of it."""


class Recent:
    """The last requests of which nothing is to be said, and as many of the others.

    The latter have a place of their own, so that a burst of good ones does not push out what
    somebody wants to look at. A request costs one `append`: what is told is made when it is
    asked for.
    """

    __slots__ = ("noteworthy", "plain")

    def __init__(self, limit: int = LIMIT) -> None:
        self.plain: deque[Ended] = deque(maxlen=limit)
        self.noteworthy: deque[Ended] = deque(maxlen=limit)

    def add(self, exchange: Ended) -> None:
        """Remember one that has just ended."""
        if exchange.noteworthy:
            self.noteworthy.append(exchange)
        else:
            self.plain.append(exchange)

    def records(self) -> Iterator[Record]:
        """Yield what can be told, of all of them."""
        for ended in (*self.noteworthy, *self.plain):
            yield ended.record()
