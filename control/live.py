"""How busy services are right now: sums of what each gateway counts. Never stored.

Whoever opened a connection owns its count. So what a gateway told lives as long
as its stream, and a sum never holds what a dead gateway took with it. So it is with
what it keeps out of rotation.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from control.ejections import Ejections, Told
from control.speeds import Speeds

MAX_COUNT = 2**31 - 1  # what the contract carries
# A stream that ends so soon after its last word was closed; one that is cut off ends
# half a minute later.
LEFT_S = 1.0
# Who tells so much less often than it should is frozen: for its requests nobody waits.
FROZEN_S = 2.0
NOTHING: Mapping[str, int] = MappingProxyType({})


class Sums:
    """Whole numbers by service, of each stream and of all together; only what is above 0."""

    def __init__(self) -> None:
        self._all: Counter[str] = Counter()
        self._told: dict[object, dict[str, int]] = {}

    def tell(self, stream: object, counts: Mapping[str, int]) -> None:
        """Replace what `stream` told; negative counts are taken for none."""
        self.forget(stream)
        self._told[stream] = {one: count for one, count in counts.items() if count > 0}
        self._all.update(self._told[stream])

    def forget(self, stream: object) -> None:
        """Drop what `stream` told."""
        for service_id, count in self._told.pop(stream, {}).items():
            self._all[service_id] -= count
            if not self._all[service_id]:
                del self._all[service_id]

    def of(self, service_id: str) -> int:
        """Return the sum for a service."""
        return min(self._all[service_id], MAX_COUNT)

    @property
    def total(self) -> int:
        """The sum for all services."""
        return min(self._all.total(), MAX_COUNT)

    def without(self, streams: Iterable[object]) -> dict[str, int]:
        """Return what all but some streams told, by service; only what is above 0."""
        left = dict(self._all)
        for stream in streams:
            for one, count in self._told.get(stream, {}).items():
                left[one] -= count
        return {one: min(count, MAX_COUNT) for one, count in left.items() if count > 0}


class Others(NamedTuple):
    """What gateways but one have at services, as `Loads.tell` takes it; only what is above 0."""

    in_flight: Mapping[str, int]
    pending: Mapping[str, int]
    waiting: Mapping[str, int]


class Loads:
    """How busy services are, in all and by gateway stream; `ejections`, and `speeds`.

    What gateways measured of speeds outlives them; all else ends with their streams.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._heard: float | None = None
        self._told_at: dict[object, float] = {}
        self._in_flight = Sums()
        self.pending = Sums()  # ms of prompts
        self.waiting = Sums()
        self.ejections = Ejections(now)
        self.speeds = Speeds(now)

    def tell(
        self,
        stream: object,
        loads: Mapping[str, int],
        ejections: Iterable[tuple[str, Told]] = (),
        *,
        pending: Mapping[str, int] = NOTHING,
        waiting: Mapping[str, int] = NOTHING,
    ) -> None:
        """Replace what `stream` told; negative counts are taken for none.

        loads: requests in flight. ejections: services that it keeps out. pending: prompts that
        it sent and that are not read yet, ms. waiting: requests that wait for a service.
        """
        self._told_at[stream] = self._heard = self._now()
        self._in_flight.tell(stream, loads)
        self.pending.tell(stream, pending)
        self.waiting.tell(stream, waiting)
        self.ejections.tell(stream, ejections)

    def forget(self, stream: object) -> None:
        """Drop what `stream` told, because it ended."""
        for sums in (self._in_flight, self.pending, self.waiting):
            sums.forget(stream)
        self._told_at.pop(stream, None)
        self.ejections.forget(stream)
        if not self._told_at and self.silence() < LEFT_S:
            self._heard = None  # nobody is there to be heard

    def silence(self) -> float:
        """Return for how many seconds no gateway has said anything.

        0 before the first one does, and when all have left.
        """
        return 0.0 if self._heard is None else self._now() - self._heard

    def total(self, service_id: str) -> int:
        """Return the requests in flight at a service."""
        return self._in_flight.of(service_id)

    def total_of(self, service_ids: Iterable[str]) -> int:
        """Return the requests in flight at several services."""
        return min(sum(map(self.total, service_ids)), MAX_COUNT)

    def left(self, service_ids: Iterable[str], within: float) -> int:
        """Return the same of services that get nothing new, 1 at least while it is not known.

        within: seconds ago, at most, that every gateway must have told. What one told before
        does not hold requests that it sent there since.
        """
        now = self._now()
        unknown = any(now - at > within for at in self._told_at.values())
        return max(self.total_of(service_ids), int(unknown))

    @property
    def in_flight(self) -> int:
        """All requests in flight."""
        return self._in_flight.total

    def others(self, stream: object) -> Others:
        """Return what all streams but `stream` told, and those that are frozen."""
        oldest = self._now() - FROZEN_S
        aside = {stream, *(one for one, at in self._told_at.items() if at < oldest)}
        sums = self._in_flight, self.pending, self.waiting
        return Others(*(one.without(aside) for one in sums))
