"""The fast way in: inference requests are served in the callbacks of uvicorn's HTTP protocol.

No task and no ASGI message is made for them. Everything else falls through to
the ASGI app. Uses internals of uvicorn's `HttpToolsProtocol`, so uvicorn is
pinned in pyproject.toml, and all tests run through `gateway.asgi` as well.
"""

import asyncio
import logging
from typing import Any, ClassVar

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from control.api.errors import GenieHiveError, InvalidValue
from gateway import errors
from gateway.exchange import Exchange, Headers, too_large
from gateway.gateway import Gateway
from gateway.paths import INFERENCE
from gateway.routes import Operation

log = logging.getLogger(__name__)

MAX_PIPELINED_BYTES = 64 << 10


class Door(HttpToolsProtocol):
    """One client connection."""

    # Shared by all connections of the process.
    _own: ClassVar[list[tuple[bytes, bytes]]] = []
    _own_lines: ClassVar[bytes] = b""

    def __init__(
        self,
        gateway: Gateway,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.gateway = gateway
        self._front: Turn | None = None  # the one whose answer is next on the wire
        self._waiting_bytes = 0  # of requests pipelined behind it
        self._idle_since = gateway.clock()

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        if self._front is not None:
            # Reading goes on, or a client that leaves would not be noticed; but not for ever.
            self._waiting_bytes += len(data)
            if self._waiting_bytes > MAX_PIPELINED_BYTES and self._front.complete:
                self.flow.pause_reading()
        # As the parent does, except that the keep-alive timer is left running.
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
        except httptools.HttpParserUpgrade:
            self._unsupported_upgrade_warning()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._front is not None:
            self._front.abandon()
            self._front = None
        self.pipeline.clear()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._front is not None:
            self._front.exchange.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._front is not None:
            self._front.exchange.resume()

    # What the parser calls.

    def on_message_begin(self) -> None:
        # The scope is made only for requests that fall through.
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        path = self.url.partition(b"?")[0]
        operation = INFERENCE.get(path)
        if operation is None or self.parser.get_method() != b"POST":
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.headers, self.expect_100_continue = url, headers, expects
            self.scope["headers"] = headers
            super().on_headers_complete()
            if self._front is not None:
                # The parent stops reading behind an unfinished request; then a client
                # that leaves would not be noticed.
                self.flow.resume_reading()
            return
        before = self.cycle
        turn = Turn(self, operation, path)
        self.cycle = turn  # type: ignore[assignment]  # it has what the parent looks at
        if before is None or before.response_complete:
            self._front = turn
        else:
            self.pipeline.appendleft((turn, self.app))  # type: ignore[arg-type]  # as above
        turn.begin(self.expect_100_continue)

    def on_body(self, body: bytes) -> None:
        if isinstance(self.cycle, Turn):
            self.cycle.collect(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if isinstance(self.cycle, Turn):
            self.cycle.completed()
        else:
            super().on_message_complete()

    # What the parent calls.

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it was idle all the time; else look again when it may be."""
        idle = self.gateway.clock() - self._idle_since if self._idle else 0.0
        if idle < self.timeout_keep_alive:
            self._look_again(self.timeout_keep_alive - idle)
        else:
            super().timeout_keep_alive_handler()

    def _look_again(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    @property
    def _idle(self) -> bool:
        return self._front is None and (self.cycle is None or self.cycle.response_complete)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if isinstance(cycle, Turn):
            self._front = cycle
            # Not in this turn of the loop: 1,000 pipelined requests would nest 1,000 deep.
            self.loop.call_soon(cycle.proceed)
        else:
            super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        if self._front is not None:
            # An answer is on its way: a second one in its middle would be read as part of it.
            self._front.abandon()
            self._front = None
        else:
            error = InvalidValue("the request is not valid HTTP")
            self.write_answer(400, errors.head(error), errors.body(error), keep_alive=False)
        self.transport.close()

    # What a turn calls.

    def write_answer(self, status: int, head: bytes, content: bytes, *, keep_alive: bool) -> None:
        """Write a whole answer at once."""
        if self.transport.is_closing():
            return
        length = b"content-length: %d\r\n\r\n" % len(content)
        own = self.own_head(keep_alive)
        self.transport.write(b"".join((STATUS_LINE[status], head, own, length, content)))

    def own_head(self, keep_alive: bool) -> bytes:
        """Return the header lines of the server itself."""
        headers = self.server_state.default_headers  # uvicorn makes a new list every second
        if self._own is not headers:
            Door._own = headers
            Door._own_lines = b"".join(b"%b: %b\r\n" % line for line in headers)
        return self._own_lines if keep_alive else self._own_lines + b"connection: close\r\n"

    def turn_over(self, turn: "Turn") -> None:
        """Go on with the next request, or wait for one."""
        if self._front is turn:
            self._front = None
            self._waiting_bytes = 0
        if not turn.keep_alive:
            self.transport.close()
        elif self.pipeline or self.timeout_keep_alive_task is None:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self.flow.resume_reading()
        self._idle_since = self.gateway.clock()


class Turn:
    """One inference request on a connection, and the writing of its answer.

    Stands in for uvicorn's `RequestResponseCycle`, so that the parent's pipeline
    keeps both kinds in order: hence the public names it shares with it.
    """

    __slots__ = (
        "_chunks",
        "_door",
        "_headers",
        "_refusal",
        "_size",
        "_streaming",
        "complete",
        "disconnected",
        "exchange",
        "keep_alive",
        "message_event",
        "response_complete",
    )

    def __init__(self, door: Door, operation: Operation, path: bytes) -> None:
        self._door = door
        self._headers: Headers = door.headers
        self._chunks: list[bytes] = []
        self._size = 0
        self._refusal: GenieHiveError | None = None
        self.complete = False
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NOBODY_WAITS
        version = door.parser.get_http_version()
        self.keep_alive = version != "1.0" and door.parser.should_keep_alive()
        self.exchange = Exchange(door.gateway, self, operation, path)
        self._streaming = b"" if version == "1.0" else b"transfer-encoding: chunked\r\n"

    # From the door.

    def begin(self, expects_continue: bool) -> None:
        """Invite the body, if the client waits for that; not if it will be too large."""
        if not expects_continue:
            return
        length = int(dict(self._headers).get(b"content-length", 0))
        if length > self._door.gateway.config.limits.request_body:
            self._refuse(too_large(self._door.gateway))
        elif self._door._front is self:
            self._door.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def collect(self, chunk: bytes) -> None:
        if self._refusal is not None:
            return
        self._size += len(chunk)
        self._chunks.append(chunk)
        if self._size > self._door.gateway.config.limits.request_body:
            self._refuse(too_large(self._door.gateway))

    def completed(self) -> None:
        """Serve the request, if it is its turn."""
        self.complete = True
        if self._door._front is self and not self.response_complete:
            self.proceed()

    def proceed(self) -> None:
        """Its turn has come: answer as soon as the request is whole."""
        if self.response_complete or self.disconnected:
            return
        if self._refusal is not None:
            self.exchange.refuse(self._refusal)
        elif self.complete:
            chunks, self._chunks = self._chunks, []
            content = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self.exchange.run(self._headers, content)

    def abandon(self) -> None:
        self.disconnected = True
        self.exchange.cancel()

    def _refuse(self, error: GenieHiveError) -> None:
        """Answer before the body is there, and read no more of it."""
        self._refusal = error
        self._chunks = []
        self.keep_alive = False
        if self._door._front is self:
            self.proceed()

    # From the exchange: a `Downstream`.

    def respond(self, status: int, head: bytes, content: bytes) -> None:
        self._door.write_answer(status, head, content, keep_alive=self.keep_alive)
        self._over()

    def start(self, status: int, head: bytes, content: bytes) -> None:
        if not self._streaming:
            self.keep_alive = False  # HTTP/1.0: the body ends with the connection
        self._write(
            b"%b%b%b%b\r\n%b"
            % (
                STATUS_LINE[status],
                head,
                self._door.own_head(self.keep_alive),
                self._streaming,
                self._framed(content),
            )
        )

    def write(self, content: bytes) -> None:
        self._write(self._framed(content))

    def end(self, content: bytes) -> None:
        last = self._framed(content) + (b"0\r\n\r\n" if self._streaming else b"")
        if last:
            self._write(last)
        self._over()

    def break_off(self, content: bytes) -> None:
        self.keep_alive = False
        self.end(content)

    def _framed(self, content: bytes) -> bytes:
        if not content or not self._streaming:
            return content
        return b"%x\r\n%b\r\n" % (len(content), content)

    def _write(self, data: bytes) -> None:
        transport = self._door.transport
        if not transport.is_closing():
            transport.write(data)

    def _over(self) -> None:
        self.response_complete = True
        self._door.turn_over(self)


class _Event:
    """What the parent sets and nobody waits for."""

    def set(self) -> None:
        pass


_NOBODY_WAITS = _Event()
