"""The fast way in: inference requests are served in the callbacks of uvicorn's HTTP protocol.

No task and no ASGI message is made for them. Everything else falls through to
the ASGI app. Uses internals of uvicorn's `HttpToolsProtocol`, so uvicorn is
pinned in pyproject.toml, and all tests run through `gateway.asgi` as well.
"""

import asyncio
from typing import Any, ClassVar

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from control.api.errors import GenieHiveError
from gateway.client import Client
from gateway.gateway import Gateway
from gateway.intake import Intake
from gateway.memo import Memo
from gateway.objections import check_host, objection, path_of
from gateway.paths import INFERENCE
from gateway.request_head import RequestHead, body_length, request_memo
from gateway.turn import Turn

MAX_PIPELINED_BYTES = 64 << 10


class Door(Client):
    """The receiving side of one client connection; its `wire` is the other."""

    _memo: ClassVar[Memo[RequestHead]] = request_memo()  # of all connections of the process

    def __init__(
        self,
        gateway: Gateway,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(gateway, config, server_state, app_state, _loop)
        self._front: Turn | None = None  # the one whose answer is next on the wire
        self._between = True  # the parser has seen no part of the next request
        self._missing = 0  # bytes of the body of a request that no parser knows
        self._waiting_bytes = 0  # that came behind its whole request
        self._unparsed = False  # what comes is no HTTP to us any more
        self._idle_since = gateway.clock()

    # What the transport calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self.refused:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gateway.incoming.discard(self)
        for turn in (self._front, *(waiting for waiting, _ in reversed(self.pipeline))):
            if isinstance(turn, Turn):
                turn.abandon()
        self._front = None
        self.pipeline.clear()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        # Or only the collector would free us, with all that the last request held.
        self.cycle = self.flow = None  # type: ignore[assignment]

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._front is not None:
            self._front.exchange.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._front is not None:
            self._front.exchange.resume()
            self._front.proceed()

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        if self._missing:
            data = self._take_body(data)
        elif self._between and self._idle:
            known = self._memo.recall(data)
            if known is not None:
                data = self._begin_known(*known)
            elif data:
                self._parse(data)
                if not self.refused:  # a head that is known is not judged again
                    self._memo.learn(data)
                return
        if data:
            self._parse(data)

    def _begin_known(self, head: RequestHead, length: int, data: bytes) -> bytes:
        """Begin a request under a head like one before; return what in `data` follows its body.

        The parser rests between two requests, and never learns of this one.
        """
        self.cycle = self._front = turn = Turn(self, head, length)  # type: ignore[assignment]
        if len(data) == length and not self.flow.write_paused:
            self.gateway.incoming.discard(self)
            turn.serve(data)
            return b""
        self._expect()
        self._intake.headed(self.gateway.clock())
        turn.begin()
        self._missing = length
        return self._take_body(data)

    def _take_body(self, data: bytes) -> bytes:
        """Take what is missing of the body of a request that no parser knows; return the rest."""
        turn: Turn = self.cycle  # type: ignore[assignment]
        missing = self._missing
        self._missing = max(missing - len(data), 0)
        self._intake.body(len(data))
        turn.collect(data[:missing])
        if not self._missing:
            self.gateway.incoming.discard(self)
            turn.completed()
        return data[missing:]

    def _parse(self, data: bytes) -> None:
        front = self._front
        if front is not None and front.complete:
            self._waiting_bytes += len(data)
        if self._unparsed:
            self._take_unparsed(data)
            return
        # As the parent does, except that the keep-alive timer is left running.
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # No protocol but ours is spoken here. The parser takes the body for the other
            # protocol's; parsed on, it could hold a second request that nobody sent.
            self._unparsed = True
            self._take_unparsed(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(objection(error, data))
        self._regulate()

    def _take_unparsed(self, data: bytes) -> None:
        """Give an inference request that offered an upgrade its body; drop what is more."""
        if isinstance(self.cycle, Turn):
            self.cycle.collect_unparsed(data)

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._between = False
        self._expect()
        # The scope is made only for requests that fall through.
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_url(self, url: bytes) -> None:
        self._intake.url(len(url))
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._intake.line(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        # Trailers would be added to the same list later: they are no headers.
        headers, self.headers = self.headers, []
        parser = self.parser
        version, method = parser.get_http_version(), parser.get_method()
        check_host(headers, version)
        path = path_of(method, self.url)
        self._intake.headed(self.gateway.clock())
        operation = INFERENCE.get(path)
        if operation is None or method != b"POST":
            self._fall_through(headers)
            return
        upgrade = parser.should_upgrade()
        turn = Turn(
            self,
            RequestHead(operation, path, headers),
            body_length(headers),
            keep_alive=version != "1.0" and not upgrade and parser.should_keep_alive(),
            upgrade=upgrade,
            expects_continue=self.expect_100_continue,
            chunks=version != "1.0",
        )
        before = self.cycle
        self.cycle = turn  # type: ignore[assignment]  # it has what the parent looks at
        if before is None or before.response_complete:
            self._front = turn
        else:
            self.pipeline.appendleft((turn, self.app))  # type: ignore[arg-type]  # as above
        turn.begin()

    def _fall_through(self, headers: list[tuple[bytes, bytes]]) -> None:
        url, expects = self.url, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.scope["headers"] = headers
        upgrade = self.parser.should_upgrade()
        super().on_headers_complete()
        if upgrade:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._intake.body(len(body))
        if isinstance(self.cycle, Turn):
            self.cycle.collect(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._between = True
        self.gateway.incoming.discard(self)
        if not isinstance(self.cycle, Turn):
            super().on_message_complete()
        elif not self.cycle.upgrade:
            self.cycle.completed()

    # What the parent calls.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if isinstance(cycle, Turn):
            self._front = cycle
            # Not in this turn of the loop: 1,000 pipelined requests would nest 1,000 deep.
            self.loop.call_soon(cycle.proceed)
        else:
            super()._start_asgi_task(cycle, app)

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it was idle all the time; else look again when it may be."""
        resting = self._idle and self._between
        idle = self.gateway.clock() - self._idle_since if resting else 0.0
        if idle < self.timeout_keep_alive:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive - idle, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    # What the gateway calls.

    def check(self, now: float) -> None:
        """Give up on a request that takes too long to come. now: seconds of the clock."""
        front = self._front
        if front is not None and front.complete:
            self._expect()  # it waits for us, not we for it
            return
        overdue = self._intake.overdue(now, self.gateway.timeouts)
        if overdue is None:
            return
        if front is not None:
            front.give_up(overdue)
        elif self._between:
            self.transport.close()  # it never said anything
        else:
            self._refuse(overdue)

    # What a turn calls.

    def may_answer(self, turn: Turn) -> bool:
        """Return whether the turn of `turn` has come, and the client reads."""
        if self.transport.is_closing():
            return False  # RFC 9112, 9.6: what stands behind the last request is not served
        return self._front is turn and not self.flow.write_paused

    def turn_over(self, turn: Turn) -> None:
        """Go on with the next request, or wait for one."""
        if self._front is turn:
            self._front = None
        if not self.pipeline:
            self._waiting_bytes = 0
        self._idle_since = self.gateway.clock()
        if not turn.keep_alive:
            if turn.complete:
                self.wire.close()
            else:
                self.wire.linger()
        elif self.pipeline or self.timeout_keep_alive_task is None:
            self.on_response_complete()
            self._regulate()
        else:
            self.server_state.total_requests += 1
            self.flow.resume_reading()

    # What these have in common.

    @property
    def _idle(self) -> bool:
        return self._front is None and (self.cycle is None or self.cycle.response_complete)

    def _expect(self) -> None:
        """Begin to wait for a request."""
        self._intake = Intake(self.gateway.clock())
        self.gateway.incoming.add(self)

    def _regulate(self) -> None:
        """Read on behind a request under way, or a client that leaves would not be noticed.

        But not for ever: beyond a bound the rest waits.
        """
        front = self._front
        if front is None:
            return
        if front.complete and self._waiting_bytes > MAX_PIPELINED_BYTES:
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    def _refuse(self, error: GenieHiveError) -> None:
        """Refuse what came, and whatever follows it."""
        self.refused = True
        self.gateway.incoming.discard(self)
        front = self._front
        if front is not None and not front.complete:
            front.give_up(error)
        elif self._idle and (self._between or not self._intake.has_head):
            self.say(error)
            self.wire.close_sending()
        elif (waiting := self._app_waits_for_body()) is not None:
            waiting.disconnected = True  # what it says from now on goes nowhere
            waiting.message_event.set()
            self.say(error)
            self.wire.close_sending()
        else:
            # An answer is on its way, or was given before the whole request had come: this
            # one would be read as part of it, or in place of it.
            if front is not None:
                front.abandon()
                self._front = None
            self.wire.close()

    def _app_waits_for_body(self) -> RequestResponseCycle | None:
        """Return the request that the app has not wholly, and has said nothing to."""
        cycle = self.cycle
        if self._front is not None or isinstance(cycle, Turn) or self.pipeline or cycle is None:
            return None
        return cycle if cycle.more_body and not cycle.response_started else None
