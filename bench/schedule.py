"""When the next request is to be sent."""

from dataclasses import dataclass
from typing import Protocol

NANOSECONDS = 1_000_000_000


class Schedule(Protocol):
    """Gives out the requests of a run. Times are nanoseconds of one clock."""

    def take(self, now: int) -> int | None:
        """Return when the next request was meant to go, as it goes now; None: not yet."""

    def wait(self, now: int) -> float:
        """Return after how many seconds `take` gives the next one."""

    def behind(self, now: int) -> int:
        """Return how many should have gone and did not."""


class ClosedLoop:
    """A connection sends its next request as soon as the last is answered."""

    def take(self, now: int) -> int | None:
        return now

    def wait(self, now: int) -> float:
        return float("inf")

    def behind(self, now: int) -> int:
        return 0


@dataclass(slots=True)
class OpenLoop:
    """Requests arrive at a fixed rate, whatever became of those before.

    Latency counts from when a request was meant to go, so that a server that stands still
    for a second is charged for all that would have come in that second.
    """

    start: int
    rate: float  # requests a second
    taken: int = 0

    def take(self, now: int) -> int | None:
        due = self._due(self.taken)
        if due > now:
            return None
        self.taken += 1
        return due

    def wait(self, now: int) -> float:
        return (self._due(self.taken) - now) / NANOSECONDS

    def behind(self, now: int) -> int:
        due = int((now - self.start) * self.rate / NANOSECONDS) + 1 if now >= self.start else 0
        return max(0, due - self.taken)

    def _due(self, number: int) -> int:
        # Not one interval after the other: their rounding would add up.
        return self.start + int(number * NANOSECONDS / self.rate)
