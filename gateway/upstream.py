"""A service as the gateway calls it: HTTP/1.1 over kept connections, in callbacks."""

import asyncio
import logging
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from control.api.errors import Upstream as UpstreamFault
from control.api.errors import UpstreamError
from gateway.breaker import Breaker
from gateway.config import Limits
from gateway.connection import Connection, Receiver
from gateway.load import Load
from gateway.meter import Tally
from gateway.patience import Waits
from gateway.relay import NoTunnel, Relay, Trust, tunnel

log = logging.getLogger(__name__)

MAX_IDLE = 256
_LIMITS = Limits()
_TRUST = Trust(None)
# A kept connection that is lost so soon after a request was closed before it came.
STALE_SECONDS = 1.0
IDLE_SECONDS = 4.0  # less than the 5 s after which llama.cpp closes a kept connection


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a service is reached, and how.

    tls_name: expected in the certificate, if not `host`. api_key: the engine's own, visible
    ASCII; empty where it asks for none. relay: the way there; None: `host` is reached from here.
    """

    host: str
    port: int
    base_path: str = ""
    tls: bool = False
    tls_name: str = ""
    api_key: str = field(default="", repr=False)
    relay: Relay | None = None

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Unreachable(UpstreamError):
    """No connection came about; nothing was sent, so any other service may be asked."""

    counted = ("refused connection", "refused connections")


class Unanswered(Unreachable):
    """No connection came about in time."""

    counted = ("timeout", "timeouts")
    silent = True


class Call:
    """One request on its way. `cancel` ends it and closes its connection."""

    __slots__ = (
        "_patience",
        "_retries",
        "_sent_at",
        "_task",
        "connection",
        "receiver",
        "request",
        "upstream",
    )

    def __init__(
        self,
        upstream: "Upstream",
        receiver: Receiver,
        request: bytes,
        now: float,
        patience: float,
    ) -> None:
        self.upstream = upstream
        self.receiver: Receiver | None = receiver
        self.request = request
        self.connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._retries = 1
        self._sent_at = now
        self._patience = patience

    def connect(self) -> None:
        """Send the request over a new connection."""
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        name = self.upstream.service_id
        try:
            connection = await self.upstream.connect(self._patience)
        except TimeoutError:
            self.fail(self._unsent(f"{name} did not accept a connection in time", Unanswered))
        except (OSError, UnicodeError) as error:  # the latter for a name that DNS cannot hold
            # What the system says of it names addresses, which are not for clients.
            log.info("%s: %s", name, error)
            self.fail(self._unsent(f"{name} cannot be reached: {_why(error)}"))
        except Exception:  # whoever waits for the answer must hear of it
            log.exception("%s: bug", name)
            self.fail(self._unsent(f"{name} could not be asked; the log has more"))
        else:
            self._task = None
            if connection.closing:  # it left, or spoke, before it was asked
                self.fail(self._unsent(f"{name} closed the connection before it was asked"))
            else:
                connection.send(self)

    def _unsent(self, message: str, kind: type[Unreachable] = Unreachable) -> UpstreamError:
        # After a retry the request was sent once, and may be what brought the engine down.
        return kind(message) if self._retries else UpstreamError(message)

    def retry_or_fail(self, error: UpstreamFault) -> None:
        """Try once more over a new connection, if the kept one was stale."""
        stale = self.upstream.now() - self._sent_at <= STALE_SECONDS
        if stale and self._retries and self.receiver is not None:
            self._retries -= 1
            self.connect()
        else:
            self.fail(error)

    def fail(self, error: UpstreamFault) -> None:
        receiver, self.receiver = self.receiver, None
        self.connection = self._task = None
        if receiver is not None:
            receiver.upstream_failed(error)

    def cancel(self) -> None:
        """Forget the receiver and close the connection now. Harmless when it is over."""
        self.receiver = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abort()

    def pause(self) -> None:
        """Read no further, until `resume`."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        if self.connection is not None:
            self.connection.resume()


def _why(error: Exception) -> str:
    if isinstance(error, NoTunnel):
        return str(error)
    if isinstance(error, socket.gaierror):  # its number is none of `os`
        return "no address is known for its name"
    if isinstance(error, ssl.SSLError):
        return "its certificate, or how it speaks TLS, is not to be trusted"
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if number else "no connection came about"


class Upstream(Load):
    """A service: its origin, its kept connections, and how busy it is."""

    def __init__(
        self,
        service_id: str,
        origin: Origin,
        clock: Callable[[], float],
        breaker: Breaker,
        limits: Limits = _LIMITS,
        trust: Trust = _TRUST,
    ) -> None:
        super().__init__(service_id, limits)
        self.origin = origin
        self._trust = trust
        self.breaker = breaker
        self.waits: dict[int, Waits] = {}  # by operation
        self.tallies: dict[bytes, Tally] = {}  # by asset, as `Choice` has it
        self.now = clock
        self._idle: deque[Connection] = deque()
        self._generation = 0
        self._loop = asyncio.get_running_loop()
        self._heads: dict[bytes, bytes] = {}
        self._tls: ssl.SSLContext | None = None

    def call(
        self,
        receiver: Receiver,
        path: bytes,
        request_id: bytes,
        body: bytes,
        now: float,
        connect_s: float,
        trace: bytes = b"",
    ) -> Call:
        """POST the JSON `body` to `path` below the base path; the answer goes to `receiver`.

        now: seconds of the clock. connect_s: seconds that a new connection may take.
        trace: header lines that tell what it is done for.
        """
        head = self._heads.get(path)
        if head is None:
            head = self._heads[path] = self._head(path)
        call = Call(
            self,
            receiver,
            b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (head, trace, request_id, len(body), body),
            now,
            connect_s,
        )
        connection = self.kept(now)
        if connection is not None:
            connection.send(call)
        else:
            call.connect()
        return call

    def move(self, origin: Origin) -> None:
        """Use `origin` from now on; calls under way end where they began.

        What is known against it is of another server, or of another way to it.
        """
        self.origin = origin
        self._heads = {}
        self.retire()
        self.breaker.forget()

    def retire(self) -> None:
        """Close what is idle, and what is busy as soon as its call is over."""
        self._generation += 1
        for connection in tuple(self._idle):
            connection.close()
        self._idle.clear()

    def close_idle(self, now: float) -> None:
        """Close connections that idled too long. now: seconds of the clock."""
        while self._idle and self._idle[0].idle_since < now - IDLE_SECONDS:
            self._idle.popleft().close()

    @property
    def idle(self) -> int:
        """How many connections are kept."""
        return len(self._idle)

    def kept(self, now: float) -> Connection | None:
        """Return the kept connection that idled least, or None."""
        oldest_good = now - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since >= oldest_good and not connection.closing:
                return connection
            connection.close()
        return None

    def keep(self, connection: Connection, generation: int) -> None:
        """Keep the connection of a call that is over, or close it."""
        fits = generation == self._generation and len(self._idle) < MAX_IDLE
        # Who answers before it was asked wholly may never read the rest, nor what comes next.
        if fits and not connection.unsent:
            connection.idle_since = self.now()
            self._idle.append(connection)
        else:
            connection.close()

    def forget(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    async def connect(self, seconds: float) -> Connection:
        """Return a new connection. seconds: that it may take.

        Raises:
            OSError: nothing listens there.
            TimeoutError: no answer in time.
        """
        origin, generation = self.origin, self._generation

        def make() -> Connection:
            return Connection(self, generation)

        async with asyncio.timeout(seconds):
            if origin.relay is not None:
                return await tunnel(origin.relay, self.service_id, make, self._trust)
            _, connection = await self._loop.create_connection(
                make,
                origin.host,
                origin.port,
                ssl=self._tls_context() if origin.tls else None,
                server_hostname=(origin.tls_name or origin.host) if origin.tls else None,
            )
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()  # reads all authorities: once is enough
        return self._tls

    def _head(self, path: bytes) -> bytes:
        origin = self.origin
        head = (
            b"POST %b%b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\n"
            b"accept: application/json, text/event-stream\r\naccept-encoding: identity\r\n"
        ) % (origin.base_path.encode(), path, origin.authority.encode())
        if origin.api_key:
            head += b"authorization: Bearer %b\r\n" % origin.api_key.encode()
        return head
