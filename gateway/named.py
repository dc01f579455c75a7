"""What every answer of the app gets, whatever it answers, a bug too: a name, and a span."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control.api import logs
from control.api.tracing import FAULT, MAX_NAME, failed
from gateway import trace_context
from gateway.gateway import Gateway

if TYPE_CHECKING:
    from opentelemetry.trace import Span

# What watches us asks all the time.
UNTRACED = frozenset({"/health", "/ready", "/metrics"})


class Named:
    """Gives every answer of the app a request id, and traces it."""

    def __init__(self, gateway: Gateway, app: ASGIApp) -> None:
        self._gateway = gateway
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self._gateway.next_request_id()
        logs.request_id.set(request_id.decode())
        name = (b"x-request-id", request_id)
        told = trace_context.read(dict(scope.get("headers", ())))
        with self._traced(scope, told) as span:
            tracer = self._gateway.tracer
            trace_context.current.set(tracer.context(span) if tracer and span else told)

            async def named(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", ()), name]
                    if span is not None:
                        span.set_attribute("http.response.status_code", message["status"])
                        if message["status"] >= FAULT:
                            failed(span)
                await send(message)

            await self._app(scope, receive, named)

    @contextmanager
    def _traced(self, scope: Scope, told: trace_context.TraceContext) -> "Iterator[Span | None]":
        tracer = self._gateway.tracer
        if tracer is None or scope["type"] != "http" or scope["path"] in UNTRACED:
            yield None
            return
        method, path = scope["method"], scope["path"][:MAX_NAME]
        what = {"http.request.method": method, "url.path": path}
        span = tracer.server(f"{method} {path}", told, what)
        try:
            yield span
        finally:
            span.end()
