"""One connection of a gateway, passed on to a model server of this machine, byte by byte."""

import asyncio
import contextlib
import socket
import struct
import sys
from http import HTTPStatus
from typing import Protocol, cast
from urllib.parse import urlsplit

from node.relay_head import (
    END,
    ESTABLISHED,
    MAX_HEAD_BYTES,
    Refused,
    refusal,
    service_asked_for,
)

HTTP_PORT = 80
HEAD_SECONDS = 5.0
CONNECT_SECONDS = 5.0
FLUSH_SECONDS = 30.0  # that a gateway has to take what an engine said before it closed
MAX_UNSENT = 64 << 10  # of what one side has not taken yet; then the other one is not read
BUSY_SECONDS = 1.0  # after its last word an engine may have more to say
# A gateway behind a cut link must not keep an engine busy for the quarter of an hour after
# which systems give up by themselves. To them one that takes nothing, since its client reads
# nothing, is gone as well; gateways cut such a client off after 120 s (`timeouts.idle`).
GONE_SECONDS = 150
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Keeper(Protocol):
    """Who knows the services and counts the tunnels."""

    token: str

    def arrived(self, side: "GatewaySide") -> None:
        """Take note of a connection that has not said yet what it wants."""

    def find(self, service_id: str) -> str:
        """Return the URL of a service. Raises Refused when there is no way to one of that id."""

    def admitted(self, side: "GatewaySide") -> None:
        """Take note that it asked as it must."""

    def refused(self, side: "GatewaySide", error: Refused) -> None:
        """Take note that it did not, or in vain."""

    def left(self, side: "GatewaySide") -> None:
        """Take note that the connection is over."""


class _Side(asyncio.Protocol):
    """One end of a tunnel; what it reads, the other one writes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.other: _Side | None = None
        self.heard_at = 0.0  # when it last said something, seconds of the loop
        self._now = asyncio.get_running_loop().time
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self.transport.set_write_buffer_limits(high=MAX_UNSENT)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._now()
        if self.other is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.pause()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.resume()

    def pause(self) -> None:
        """Read no further, until `resume`."""
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self.transport.resume_reading()


class GatewaySide(_Side):
    """What a gateway connects to: first its question, then a tunnel."""

    def __init__(self, keeper: Keeper) -> None:
        super().__init__()
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._head = b""  # then what came after it before the engine was there
        self._task: asyncio.Task[None] | None = None
        self._engine: _EngineSide | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._over = False  # nothing that comes counts any more

    @property
    def busy(self) -> bool:
        """Whether a request may be under way in it."""
        engine = self.other
        if engine is None:
            return self._task is not None
        return self.heard_at > engine.heard_at or self._now() < engine.heard_at + BUSY_SECONDS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        _notice_when_gone(transport.get_extra_info("socket"))
        self._timer = self._loop.call_later(HEAD_SECONDS, self.give_up)
        self._keeper.arrived(self)

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            super().data_received(data)
        elif not self._over:
            self._head += data
            if self._task is None:
                self._read_head()
            elif len(self._head) > MAX_UNSENT:
                self.pause()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over, self.other = True, None
        self._keeper.left(self)
        self._set_timer(None)
        if self._task is not None:
            self._task.cancel()
        if self._engine is not None:
            self._engine.abandon()

    def give_up(self) -> None:
        """Wait no longer for what it wants."""
        self._refuse(Refused(HTTPStatus.REQUEST_TIMEOUT, "the head takes too long"))

    def engine_lost(self, exc: Exception | None) -> None:
        """Close as the engine did, in order once the gateway has what was said, or by a reset."""
        self._over, self.other = True, None
        if exc is None:
            self.transport.close()
            self._set_timer(FLUSH_SECONDS)
            return
        with contextlib.suppress(OSError):
            peer = self.transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def _read_head(self) -> None:
        head, end, rest = self._head.partition(END)
        try:
            if len(head) > MAX_HEAD_BYTES:
                raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too long")
            if not end:
                return
            url = self._keeper.find(service_asked_for(head, self._keeper.token))
        except Refused as error:
            self._refuse(error)
            return
        self._keeper.admitted(self)
        self._set_timer(None)
        self._head = rest
        self._task = self._loop.create_task(self._connect(url))

    async def _connect(self, url: str) -> None:
        parts = urlsplit(url)
        engine = self._engine = _EngineSide()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._loop.create_connection(
                    lambda: engine, parts.hostname or "", parts.port or HTTP_PORT
                )
        except TimeoutError:
            self._refuse(Refused(HTTPStatus.GATEWAY_TIMEOUT, "the server does not accept"))
        except OSError:
            self._refuse(Refused(HTTPStatus.BAD_GATEWAY, "the server cannot be reached"))
        else:
            self._begin(engine)

    def _begin(self, engine: "_EngineSide") -> None:
        self._task = None
        if engine.transport.is_closing():
            self._refuse(Refused(HTTPStatus.BAD_GATEWAY, "the server closed the connection"))
            return
        self.transport.write(ESTABLISHED)
        self.other, engine.other = engine, self
        held, self._head = self._head, b""
        if held:
            self.data_received(held)
        self.resume()
        engine.resume()

    def _refuse(self, error: Refused) -> None:
        self._over, self._task = True, None
        self._keeper.refused(self, error)
        self.transport.write(refusal(error))
        self.transport.close()
        self._set_timer(FLUSH_SECONDS)

    def _set_timer(self, flush: float | None) -> None:
        """Give the gateway so many seconds to take what it is told; None: no time is set."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if flush is None else self._loop.call_later(flush, self.transport.abort)


class _EngineSide(_Side):
    """The connection to the model server; `other` from the tunnel's beginning to its end."""

    def __init__(self) -> None:
        super().__init__()
        self._abandoned = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.pause()  # until the gateway knows that it is there
        if self._abandoned:
            self.transport.abort()

    def abandon(self) -> None:
        """End it at once: nobody wants the rest."""
        self._abandoned, self.other = True, None
        if hasattr(self, "transport"):
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        gateway, self.other = self.other, None
        if isinstance(gateway, GatewaySide):
            gateway.engine_lost(exc)


def _notice_when_gone(peer: socket.socket) -> None:
    """Have the system find out when the other machine, or the way to it, is gone."""
    wanted = {
        "TCP_KEEPIDLE": GONE_SECONDS // 2,
        "TCP_KEEPINTVL": GONE_SECONDS // 6,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": GONE_SECONDS * 1000,
    }
    with contextlib.suppress(OSError):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in wanted.items():
        if (option := getattr(socket, name, None)) is not None:  # not on every system
            with contextlib.suppress(OSError):
                peer.setsockopt(socket.IPPROTO_TCP, option, value)
