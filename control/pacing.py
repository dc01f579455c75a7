"""Long looks at the cluster: one at a time, and each a few milliseconds at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from control.api.errors import RateLimited

# A call takes several turns of the loop, each of which may wait for so much.
SLICE_S = 0.0005
# Who looks beside so many others would wait too long anyway.
MAX_LOOKS = 64

Rest = Callable[[], Awaitable[None]]


class Looks:
    """Gives out turns, so that many who look together hold nobody up for longer than one.

    clock: seconds; one that runs while others do.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._looking = 0
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Rest]:
        """Wait for a turn and keep it; yield what lets others run, every few milliseconds.

        Raises:
            RateLimited: too many others look at the same time.
        """
        if self._looking >= MAX_LOOKS:
            raise RateLimited(f"{MAX_LOOKS} others wait for a list of the cluster; try again later")
        self._looking += 1
        try:
            async with self._turn:
                yield self._rest()
        finally:
            self._looking -= 1

    def _rest(self) -> Rest:
        until = self._clock() + SLICE_S

        async def rest() -> None:
            nonlocal until
            if self._clock() >= until:
                await asyncio.sleep(0)
                until = self._clock() + SLICE_S

        return rest
