"""A connection of a client, behind either door: not one too many, and none that holds much."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from control.api.errors import GenieHiveError, NotReady
from gateway import errors
from gateway.gateway import Gateway
from gateway.intake import Intake
from gateway.unread import Unread
from gateway.wire import Wire

MAX_DROPPED_BYTES = 1 << 20  # of a refused body; of a larger one the connection ends soon


class Client(HttpToolsProtocol):
    """See the module. wire, unread: from `connection_made` on."""

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
        self.wire: Wire
        self.unread: Unread
        self.refused = False  # nothing that comes counts any more

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.wire = Wire(transport, self.server_state)
        self.unread = Unread(self.gateway, transport)
        if len(self.connections) > self.gateway.limits.connections:
            self.refused = True
            self.say(NotReady("the gateway has as many connections as it may"))
            self.wire.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.unread.over()
        self.wire.lost()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.unread.began()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.unread.over()

    def say(self, error: GenieHiveError) -> None:
        """Answer with `error` what is no request to anybody else."""
        gateway, request_id = self.gateway, self.gateway.next_request_id()
        gateway.refused[error.code] += 1
        if gateway.request_log is not None:
            gateway.request_log.refuse(request_id, error)
        head = errors.head(error) + errors.request_id(request_id)
        self.wire.write_answer(error.http, head, errors.body(error), keep_alive=False)


class PlainClient(Client):
    """A connection whose requests an ASGI app serves; how they come is bounded here."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._spoken = False
        self._dropped = 0  # bytes of the body of a request that was refused before
        if not self.refused:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gateway.incoming.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.refused:
            super().data_received(data)

    def on_message_begin(self) -> None:
        self._spoken = True
        self._expect()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._intake.headed(self.gateway.clock())
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._intake.body(len(body))
        if self.cycle.response_complete:
            self._dropped += len(body)
            if self._dropped > MAX_DROPPED_BYTES:
                self.wire.linger()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._dropped = 0
        self.gateway.incoming.discard(self)
        super().on_message_complete()

    def check(self, now: float) -> None:
        """Give up on a request that takes too long to come. now: seconds of the clock."""
        if self.pipeline:
            self._expect()  # it waits for us, not we for it
            return
        overdue = self._intake.overdue(now, self.gateway.timeouts)
        if overdue is None:
            return
        self.refused = True
        self.gateway.incoming.discard(self)
        if self._may_say():
            self.say(overdue)
            self.wire.close_sending()
        else:
            self.wire.close()

    def _may_say(self) -> bool:
        """Return whether an answer is expected now, and would not be taken for another one."""
        cycle = self.cycle
        if cycle is None or not self._intake.has_head:
            return self._spoken and (cycle is None or cycle.response_complete)
        if cycle.response_started:
            return False  # it was refused before its end
        cycle.disconnected = True  # what the app says from now on goes nowhere
        cycle.message_event.set()
        return True

    def _expect(self) -> None:
        self._intake = Intake(self.gateway.clock())
        self.gateway.incoming.add(self)
