"""How busy services are right now: sums of what each gateway counts. Never stored.

Whoever opened a connection owns its count. So what a gateway told lives as long
as its stream, and a sum never holds what a dead gateway took with it. So it is with
what it keeps out of rotation.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from control.ejections import Ejections, Told

MAX_COUNT = 2**31 - 1  # what the contract carries
# A stream that ends so soon after its last word was closed; one that is cut off ends
# half a minute later.
LEFT_S = 1.0


class Loads:
    """Requests in flight by service, in all and by gateway stream; and `ejections`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._heard: float | None = None
        self._total: Counter[str] = Counter()
        self._told: dict[object, dict[str, int]] = {}
        self._told_at: dict[object, float] = {}
        self.ejections = Ejections(now)

    def tell(
        self,
        stream: object,
        loads: Mapping[str, int],
        ejections: Iterable[tuple[str, Told]] = (),
    ) -> None:
        """Replace what `stream` told; negative counts are taken for none.

        ejections: services that it keeps out.
        """
        self._heard = self._now()
        self._drop(stream)
        kept = {service_id: count for service_id, count in loads.items() if count > 0}
        self._told[stream] = kept
        self._told_at[stream] = self._heard
        self._total.update(kept)
        self.ejections.tell(stream, ejections)

    def forget(self, stream: object) -> None:
        """Drop what `stream` told, because it ended."""
        self._drop(stream)
        self._told_at.pop(stream, None)
        self.ejections.forget(stream)
        if not self._told and self.silence() < LEFT_S:
            self._heard = None  # nobody is there to be heard

    def _drop(self, stream: object) -> None:
        for service_id, count in self._told.pop(stream, {}).items():
            self._total[service_id] -= count
            if not self._total[service_id]:
                del self._total[service_id]

    def silence(self) -> float:
        """Return for how many seconds no gateway has said anything.

        0 before the first one does, and when all have left.
        """
        return 0.0 if self._heard is None else self._now() - self._heard

    def total(self, service_id: str) -> int:
        """Return the requests in flight at a service."""
        return min(self._total[service_id], MAX_COUNT)

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
        return min(self._total.total(), MAX_COUNT)

    def others(self, stream: object) -> dict[str, int]:
        """Return what all streams but `stream` told, by service; only what is above 0."""
        mine = self._told.get(stream, {})
        left = {
            service_id: count - mine.get(service_id, 0) for service_id, count in self._total.items()
        }
        return {
            service_id: min(count, MAX_COUNT) for service_id, count in left.items() if count > 0
        }
