"""A service as the gateway calls it: HTTP/1.1 over kept connections, in callbacks."""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import httptools

from control.api.errors import UpstreamBadResponse, UpstreamError, UpstreamTimeout

log = logging.getLogger(__name__)

MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 100
FRAMING = (b"content-length", b"transfer-encoding")
MAX_IDLE = 256
IDLE_SECONDS = 4.0  # less than the 5 s after which llama.cpp closes a kept connection


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a service is reached. `tls_name`: expected in the certificate, if not `host`."""

    host: str
    port: int
    base_path: str = ""
    tls: bool = False
    tls_name: str = ""

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Receiver(Protocol):
    """Who gets the answer of one call. Nothing comes after `upstream_failed` or `done`."""

    def upstream_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The head arrived. Header names are lower case."""

    def upstream_data(self, data: bytes, *, done: bool) -> None:
        """Part of the body arrived, once for each segment read; `done` tells its end."""

    def upstream_failed(self, error: UpstreamError | UpstreamBadResponse | UpstreamTimeout) -> None:
        """The answer will not arrive, or not wholly."""


class Call:
    """One request on its way. `cancel` ends it and closes its connection."""

    __slots__ = ("_retries", "_task", "connection", "receiver", "request", "upstream")

    def __init__(self, upstream: "Upstream", receiver: Receiver, request: bytes) -> None:
        self.upstream = upstream
        self.receiver: Receiver | None = receiver
        self.request = request
        self.connection: _Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._retries = 1

    def start(self) -> None:
        """Send the request over a kept connection, or over a new one."""
        connection = self.upstream.kept()
        if connection is not None:
            connection.send(self)
        else:
            self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            connection = await self.upstream.connect()
        except TimeoutError:
            self.fail(UpstreamTimeout(f"{self.upstream.service_id} did not accept a connection"))
        except OSError as error:
            what = (error.strerror or str(error)).lower()
            self.fail(Unreachable(f"{self.upstream.service_id} cannot be reached: {what}"))
        else:
            self._task = None
            if self.receiver is None:
                connection.close()
            else:
                connection.send(self)

    def retry_or_fail(self, error: UpstreamError | UpstreamBadResponse) -> None:
        """Try once more over a new connection: the kept one was closed before it answered."""
        if self._retries and self.receiver is not None:
            self._retries -= 1
            self._task = asyncio.get_running_loop().create_task(self._connect())
        else:
            self.fail(error)

    def fail(self, error: UpstreamError | UpstreamBadResponse | UpstreamTimeout) -> None:
        receiver, self.receiver = self.receiver, None
        self.connection = None
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


class Unreachable(UpstreamError):
    """No connection came about; nothing was sent, so any other service may be asked."""


class Upstream:
    """A service: its origin, its kept connections, and how busy it is."""

    def __init__(
        self,
        service_id: str,
        origin: Origin,
        connect_timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self.service_id = service_id
        self.host_id = ""
        self.origin = origin
        self.in_flight = 0  # of this gateway
        self.elsewhere = 0  # in flight of other gateways, and waiting inside the engine
        self._connect_timeout = connect_timeout
        self._clock = clock
        self._idle: deque[_Connection] = deque()
        self._generation = 0
        self._loop = asyncio.get_running_loop()
        self._heads: dict[tuple[bytes, bytes], bytes] = {}
        self._tls: ssl.SSLContext | None = None

    def call(
        self, receiver: Receiver, path: bytes, accept: bytes, request_id: bytes, body: bytes
    ) -> Call:
        """POST the JSON `body` to `path` below the base path; the answer goes to `receiver`."""
        head = self._heads.get((path, accept))
        if head is None:
            head = self._heads[path, accept] = self._head(path, accept)
        call = Call(
            self,
            receiver,
            b"%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (head, request_id, len(body), body),
        )
        call.start()
        return call

    def move(self, origin: Origin) -> None:
        """Use `origin` from now on; calls under way end where they began."""
        self.origin = origin
        self._heads = {}
        self.retire()

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

    def kept(self) -> "_Connection | None":
        """Return the kept connection that idled least, or None."""
        oldest_good = self._clock() - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since >= oldest_good and not connection.closing:
                return connection
            connection.close()
        return None

    def keep(self, connection: "_Connection", generation: int) -> None:
        if generation == self._generation and len(self._idle) < MAX_IDLE:
            connection.idle_since = self._clock()
            self._idle.append(connection)
        else:
            connection.close()

    def forget(self, connection: "_Connection") -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    async def connect(self) -> "_Connection":
        """Return a new connection.

        Raises:
            OSError: nothing listens there. TimeoutError: no answer in time.
        """
        origin, generation = self.origin, self._generation
        async with asyncio.timeout(self._connect_timeout):
            _, connection = await self._loop.create_connection(
                lambda: _Connection(self, generation),
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

    def _head(self, path: bytes, accept: bytes) -> bytes:
        return (
            b"POST %b%b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\n"
            b"accept: %b\r\naccept-encoding: identity\r\n"
        ) % (self.origin.base_path.encode(), path, self.origin.authority.encode(), accept)


class _Connection(asyncio.Protocol):
    """One connection to a service; carries one call at a time."""

    def __init__(self, upstream: Upstream, generation: int) -> None:
        self.idle_since = 0.0
        self.closing = False
        self._upstream = upstream
        self._generation = generation
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._call: Call | None = None
        self._used = False
        self._paused = False
        self._expect_answer()

    def _expect_answer(self) -> None:
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._before_head = 0  # bytes read
        self._headed = False  # the receiver has the head
        self._framed = False  # the head tells where the body ends
        self._done = False
        self._keep = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass

    def send(self, call: Call) -> None:
        self._call = call
        call.connection = self
        self._transport.write(call.request)

    def close(self) -> None:
        self.closing = True
        self._transport.close()

    def abort(self) -> None:
        self.closing = True
        self._call = None
        self._transport.abort()

    def pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        call = self._call
        if call is None or call.receiver is None:
            # Nobody asked: whatever this is, it is not the answer to the next question.
            self.abort()
            return
        self._before_head += 0 if self._headed else len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._done:
                self._fail(call, _fault(error))
                return
            self.closing = True  # the answer is whole; what follows it was not asked for
        if self._status:
            self._pass_on(call, call.receiver)
        elif self._before_head > MAX_HEAD_BYTES:
            self._fail(call, "more than a head may hold")

    def _pass_on(self, call: Call, receiver: Receiver) -> None:
        if not self._headed:
            self._headed = True
            receiver.upstream_head(self._status, self._headers)
            if call.receiver is None:  # it has seen enough
                return
        chunks, self._chunks = self._chunks, []
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if not self._done:
            receiver.upstream_data(data, done=False)
            return
        # First give the connection back: the receiver may ask again at once.
        self._call = None
        call.connection = None
        call.receiver = None
        if self._keep and not self.closing:
            self.resume()
            self._expect_answer()
            self._used = True
            self._upstream.keep(self, self._generation)
        else:
            self.close()
        receiver.upstream_data(data, done=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        call, self._call = self._call, None
        if call is None:
            self._upstream.forget(self)
            return
        service = self._upstream.service_id
        if self._headed and not self._framed and exc is None and call.receiver is not None:
            # RFC 9112, 6.3: without a length the body ends with the connection.
            receiver, call.receiver, call.connection = call.receiver, None, None
            receiver.upstream_data(b"", done=True)
        elif self._before_head:
            call.fail(UpstreamError(f"{service} closed the connection within its answer"))
        elif self._used:
            call.retry_or_fail(UpstreamError(f"{service} closed the connection unanswered"))
        else:
            call.fail(UpstreamError(f"{service} closed the connection unanswered"))

    def _fail(self, call: Call, what: str) -> None:
        self.abort()
        call.fail(UpstreamBadResponse(f"{self._upstream.service_id} answered {what}"))

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._done:
            raise ValueError("more than it was asked")

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._headers) >= MAX_HEADERS:
            raise ValueError("more headers than a head may hold")
        name = name.lower()
        if name in FRAMING:
            self._framed = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []  # interim: the answer is still to come
            return
        self._status = status
        self._keep = self._parser.should_keep_alive()  # it does not know at the end any more
        if status in (204, 304):
            self._framed = True

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        self._done = self._status > 0


def _fault(error: Exception) -> str:
    cause = error.__context__ or error.__cause__
    return str(cause) if isinstance(cause, ValueError) else "what is not HTTP"
