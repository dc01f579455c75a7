"""The spans of one request: its own, and one for each service that was asked.

Names are those of the semantic conventions for generative AI (`gen_ai.*`), where they
have one.
"""

from typing import TYPE_CHECKING

import msgspec

from control.api.errors import GenieHiveError
from control.api.tracing import FAULT, MAX_NAME, Attributes, Tracer, failed
from gateway.reasoning import Usage
from gateway.request_head import RequestHead
from gateway.resources import WORDS
from gateway.trace_context import lines
from gateway.upstream import Upstream

if TYPE_CHECKING:
    from opentelemetry.trace import Span

# Which conventions what is asked and answered follows, whoever answers.
PROVIDER = "openai"


class RequestTrace:
    """A `Witness` that makes spans of what it sees."""

    __slots__ = ("_asked", "_attempt", "_attempts", "_operation", "_queued", "_tracer")

    def __init__(self, tracer: Tracer, head: RequestHead, request_id: bytes) -> None:
        self._tracer = tracer
        self._operation = WORDS[head.operation]
        self._attempt: Span | None = None
        self._attempts = 0
        self._queued = 0.0  # seconds
        self._asked = tracer.server(
            f"{self._operation} {head.path.decode()}",
            head.trace_context,
            {
                "http.request.method": "POST",
                "url.path": head.path.decode(),
                "geniehive.request_id": request_id.decode(),
                "gen_ai.operation.name": self._operation,
                "gen_ai.provider.name": PROVIDER,
            },
        )

    def named(self, model: str) -> None:
        self._asked.update_name(f"{self._operation} {model}"[:MAX_NAME])
        self._asked.set_attribute("gen_ai.request.model", model[:MAX_NAME])

    def waited(self, seconds: float, position: int) -> None:
        self._queued += seconds
        told: Attributes = {
            "geniehive.queue_ms": round(self._queued * 1_000),
            "geniehive.queue_position": position,
        }
        self._asked.set_attributes(told)

    def attempt(self, upstream: Upstream, asset: bytes) -> bytes:
        self._attempts += 1
        asset_id: str = msgspec.json.decode(asset)
        span = self._attempt = self._tracer.client(
            f"{self._operation} {asset_id}",
            self._asked,
            {
                "gen_ai.operation.name": self._operation,
                "gen_ai.provider.name": PROVIDER,
                "gen_ai.request.model": asset_id,
                "server.address": upstream.origin.host,
                "server.port": upstream.origin.port,
                "geniehive.service_id": upstream.service_id,
                "geniehive.host_id": upstream.host_id,
            },
        )
        return lines(self._tracer.context(span))

    def first_byte(self) -> None:
        if self._attempt is not None:
            self._attempt.add_event("first_byte")

    def failed(self, error: GenieHiveError) -> None:
        self._end_attempt({"error.type": error.code}, fault=True)

    def over(self, status: int, usage: Usage | None, error: GenieHiveError | None) -> None:
        told: Attributes = {}
        if usage is not None:
            told = {
                "gen_ai.usage.input_tokens": usage.prompt_tokens,
                "gen_ai.usage.output_tokens": usage.completion_tokens,
            }
        self._end_attempt(told)
        span = self._asked
        span.set_attributes(told)
        span.set_attribute("http.response.status_code", status)
        if error is not None:
            span.set_attribute("error.type", error.code)
            if error.http >= FAULT:
                failed(span)
        self._end()

    def left(self, status: int) -> None:
        self._end_attempt({"error.type": "client_left"})
        self._asked.set_attribute("error.type", "client_left")
        self._end()

    def _end(self) -> None:
        self._asked.set_attribute("geniehive.attempts", self._attempts)
        self._asked.end()

    def _end_attempt(self, told: Attributes, *, fault: bool = False) -> None:
        span, self._attempt = self._attempt, None
        if span is not None:
            span.set_attributes(told)
            if fault:
                failed(span)
            span.end()
