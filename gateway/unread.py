"""What a client was sent and has not read: it is held for it, but not for ever."""

import asyncio

from gateway.gateway import Gateway


class Unread:
    """What waits on one connection to be read, from `began` to `over`.

    It counts as memory under way. Meanwhile it is checked as what comes in is.
    """

    __slots__ = ("_bytes", "_first", "_gateway", "_moved", "_transport")

    def __init__(self, gateway: Gateway, transport: asyncio.Transport) -> None:
        self._gateway = gateway
        self._transport = transport
        self._bytes = 0
        self._first = self._moved = 0.0  # seconds of the clock

    def began(self) -> None:
        """Take note that more waits than is sent at once."""
        gateway = self._gateway
        self._first = self._moved = gateway.clock()
        self._count(self._transport.get_write_buffer_size())
        gateway.incoming.add(self)

    def over(self) -> None:
        """Take note that the client has read on, or has left."""
        self._count(0)
        self._gateway.incoming.discard(self)

    def check(self, now: float) -> None:
        """Cut the connection of a client that reads nothing, or not all in time."""
        before = self._bytes
        self._count(self._transport.get_write_buffer_size())
        if self._bytes < before:
            self._moved = now
        timeouts = self._gateway.timeouts
        if now - self._moved > timeouts.idle or now - self._first > timeouts.total:
            self._transport.abort()

    def _count(self, size: int) -> None:
        self._gateway.admission.held += size - self._bytes
        self._bytes = size
