"""What one worker tells its siblings of its requests, so that any of them can be asked."""

from collections import deque
from collections.abc import Collection, Iterator
from itertools import islice, takewhile

import msgspec

from gateway.recent import LIMIT, Ended, Recent
from gateway.record import UNDER_WAY, Record
from gateway.steps import Steps

MAX_BYTES = 640 << 10  # with all else that is told it fits into a slot, see `Snapshot`

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode

Lines = list[msgspec.Raw]


class Told(msgspec.Struct):
    """What one worker tells, which is a part of a `Snapshot`."""

    requests: Lines = msgspec.field(default_factory=list)

    def records(self) -> Iterator[Record]:
        """Yield what it knows of requests."""
        return map(_decode, self.requests)


read = msgspec.msgpack.Decoder(Told).decode


class Retold:
    """Records as bytes. Each is made once: those that ended since the last `renew`.

    active: the exchanges under way.
    """

    def __init__(self, recent: Recent, active: Collection[Ended], limit: int = LIMIT) -> None:
        self._active = active
        self._limit = limit
        self._running: list[bytes] = []
        self._noteworthy = _Kind(recent.noteworthy, limit)
        self._plain = _Kind(recent.plain, limit)

    def renew(self) -> Steps[None]:
        """Take in what happened since."""
        yield from self._noteworthy.renew()
        yield from self._plain.renew()
        running = []
        for exchange in [*islice(self._active, self._limit)]:
            running.append(_encode(exchange.record()))
            yield
        self._running = running

    def lines(self) -> Lines:
        """Return what is told as of the last `renew`; what is too much is the oldest."""
        left = MAX_BYTES
        found = []
        for line in (*self._running, *reversed(self._noteworthy.told), *reversed(self._plain.told)):
            left -= len(line)
            if left < 0:
                break
            found.append(msgspec.Raw(line))
        return found

    def inherit(self, told: Told) -> None:
        """Go on telling what a worker told that died, but for what it had not ended."""
        for record in told.records():
            if record.outcome not in UNDER_WAY:
                kind = self._noteworthy if record.noteworthy else self._plain
                kind.told.appendleft(_encode(record))


class _Kind:
    """What is told of exchanges of one kind, oldest first."""

    def __init__(self, ended: deque[Ended], limit: int) -> None:
        self._ended = ended
        self._last: Ended | None = None  # that is told
        self.told: deque[bytes] = deque(maxlen=limit)

    def renew(self) -> Steps[None]:
        last = self._last
        news = list(takewhile(lambda one: one is not last, reversed(self._ended)))
        for exchange in reversed(news):
            self.told.append(_encode(exchange.record()))
            self._last = exchange
            yield
