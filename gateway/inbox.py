"""Waiting for a message of control for a while, without losing it when the while is over."""

import asyncio
from typing import Any, Protocol


class Stream(Protocol):
    """A bidirectional stream: what of grpc.aio's is used by the gateway."""

    async def write(self, request: Any) -> None: ...

    async def read(self) -> Any: ...

    def cancel(self) -> bool: ...


class Inbox:
    """What comes over a stream. It is read all the time, so that its end is noticed."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._reading: asyncio.Future[Any] | None = None

    async def receive(
        self, seconds: float | None = None, hurry: asyncio.Event | None = None
    ) -> Any:
        """Return the next message, as `read` does, or None when none came within `seconds`.

        hurry: ends the wait as well, once it is set.

        Raises:
            Exception: whatever ended the stream.
        """
        reading = self._reading = self._reading or asyncio.ensure_future(self._stream.read())
        waking = asyncio.ensure_future(hurry.wait()) if hurry is not None else None
        either = {reading, waking} if waking is not None else {reading}
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if waking is not None:
                waking.cancel()
        if not reading.done():
            return None
        self._reading = None
        return reading.result()

    async def close(self) -> None:
        """Give the stream up, whatever it is doing."""
        self._stream.cancel()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
