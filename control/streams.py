"""Waiting for whichever comes first: a message of the peer or news of ours."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeVar

T = TypeVar("T")


async def interleaved(
    requests: AsyncIterator[T], wake: asyncio.Event, every: float | None = None
) -> AsyncGenerator[T | None]:
    """Yield each request as it comes, and None when `wake` is set; end with the requests.

    every: yield None, too, after so many seconds without anything else.

    The caller clears `wake`. Nothing is read ahead, so a peer that sends faster
    than we work is held back by flow control.
    """
    reading: asyncio.Future[T] | None = None
    waking: asyncio.Future[bool] | None = None
    try:
        while True:
            reading = reading or asyncio.ensure_future(anext(requests))
            waking = waking or asyncio.ensure_future(wake.wait())
            either: set[asyncio.Future[Any]] = {reading, waking}
            done, _ = await asyncio.wait(either, timeout=every, return_when=asyncio.FIRST_COMPLETED)
            if waking in done or not done:
                waking = None if waking in done else waking
                yield None
            if reading in done:
                finished, reading = reading, None
                try:
                    request = finished.result()
                except StopAsyncIteration:
                    return
                yield request
    finally:
        pending = [future for future in (reading, waking) if future is not None]
        for future in pending:
            future.cancel()
        # The read must have ended before anybody closes `requests`.
        await asyncio.gather(*pending, return_exceptions=True)
