"""When which service is probed: each at its own pace, so that they never come together. Pure."""

import heapq
import math
from collections.abc import Callable

JITTER = 0.1  # of the interval, earlier or later


class Schedule:
    """Turns of services. `now` is monotonic seconds.

    interval: seconds between two turns of a service. jitter: returns 0 to 1, random.
    """

    def __init__(self, interval: float, jitter: Callable[[], float]) -> None:
        self._interval = interval
        self._jitter = jitter
        self._due: dict[str, float] = {}
        self._turns: list[tuple[float, str]] = []  # a heap; may hold turns that were given up

    def add(self, service_id: str, now: float) -> None:
        """Give a new service its first turn, anywhere within an interval."""
        if service_id not in self._due:
            self._put(service_id, now + self._interval * self._jitter())

    def again(self, service_id: str, began: float) -> None:
        """Give a service its next turn, unless it was removed. began: its last one."""
        if service_id in self._due:
            spread = 1.0 + JITTER * (2.0 * self._jitter() - 1.0)
            self._put(service_id, began + self._interval * spread)

    def remove(self, service_id: str) -> None:
        """Forget a service; harmless when it is not there."""
        self._due.pop(service_id, None)
        # Services that come and go must not fill the memory until their turn.
        if len(self._turns) > 2 * len(self._due) + 64:
            self._turns = [(at, one) for one, at in self._due.items() if at < math.inf]
            heapq.heapify(self._turns)

    def take(self, now: float) -> str | None:
        """Return a service whose turn it is, or None; it has no other until `again`."""
        while self._turns and self._turns[0][0] <= now:
            at, service_id = heapq.heappop(self._turns)
            if self._due.get(service_id) == at:
                self._due[service_id] = math.inf
                return service_id
        return None

    def wait(self, now: float) -> float:
        """Return the seconds until the next turn, which may be one that was given up."""
        return max(0.0, self._turns[0][0] - now) if self._turns else math.inf

    def __len__(self) -> int:
        return len(self._due)

    def _put(self, service_id: str, at: float) -> None:
        self._due[service_id] = at
        heapq.heappush(self._turns, (at, service_id))
