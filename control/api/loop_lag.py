"""How late an event loop wakes: the first sign that something holds it up."""

import asyncio
from collections import deque
from collections.abc import Callable

INTERVAL_S = 0.1
KEPT = 600  # of the last minute


class LoopLag:
    """Looks ten times a second, while `run` does. now: a monotonic clock, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._late: deque[float] = deque(maxlen=KEPT)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            due = self._now() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            self.note(self._now() - due)

    def note(self, late: float) -> None:
        """Take note that the loop woke so many seconds late; less than none is none."""
        self._late.append(max(0.0, late))

    def quantile(self, share: float) -> float:
        """Return the seconds that `share` of the last minute's wakes were within; 0.0 of none."""
        ordered = sorted(self._late)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
