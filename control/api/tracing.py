"""Spans of what is done, for a collector that speaks OTLP; off unless an endpoint is set.

What is traced holds names and numbers, never content or keys.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from control.api.errors import GenieHiveError
from control.api.ports import parse_address
from control.api.settings import Section

if TYPE_CHECKING:  # 0.1 s, for those who trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

MAX_NAME = 200
# Spans that wait for the collector; more are dropped. 2 kB each.
MAX_WAITING = 4_096
FAULT = 500  # statuses of errors from here on are not the caller's doing
BATCH_S = 1.0  # that spans are collected before they are sent
EXPORT_S = 5.0  # after which a collector that does not answer loses a batch

Attributes = Mapping[str, str | int | float | bool]


def _endpoint(text: str) -> str:
    problem = PydanticCustomError("endpoint", "not http://HOST:PORT or https://HOST:PORT")
    try:
        parts = urlsplit(text)
        parse_address(parts.netloc)
    except ValueError as error:
        raise problem from error
    if (
        parts.scheme not in ("http", "https")
        or text.rstrip("/") != f"{parts.scheme}://{parts.netloc}"
    ):
        raise problem
    return text


class Tracing(Section):
    """Where spans go, by OTLP over gRPC; nowhere without an endpoint.

    sample_ratio: of the requests whose client has not decided it.
    """

    otlp_endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    sample_ratio: float = Field(default=1.0, ge=0, le=1)


class Tracer:
    """Makes spans and sends them, a batch at a time, in a thread of its own."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("geniehive")
        self._propagator = TraceContextTextMapPropagator()

    def server(self, name: str, told: Mapping[str, str], attributes: Attributes) -> "Span":
        """Begin the span of what a caller asked for. told: its `traceparent`, if any."""
        from opentelemetry.trace import SpanKind

        return self._tracer.start_span(
            name[:MAX_NAME], self._propagator.extract(told), SpanKind.SERVER, attributes
        )

    def client(self, name: str, parent: "Span", attributes: Attributes) -> "Span":
        """Begin the span of what somebody else is asked for, to answer `parent`."""
        from opentelemetry.trace import SpanKind, set_span_in_context

        context = set_span_in_context(parent)
        return self._tracer.start_span(name[:MAX_NAME], context, SpanKind.CLIENT, attributes)

    def context(self, span: "Span") -> dict[str, str]:
        """Return what tells whoever is asked that it works for `span`."""
        from opentelemetry.trace import set_span_in_context

        told: dict[str, str] = {}
        self._propagator.inject(told, set_span_in_context(span))
        return told

    def stop(self, patience: float) -> None:
        """Send what waits, for at most so many seconds."""
        # The library would wait for half a minute; the thread ends with the process.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(patience)


def start(settings: Tracing, service: str, version: str, instance: str) -> Tracer | None:
    """Return what traces for a service, None when nothing is to be traced.

    instance: a name of this process among those of the service.
    """
    if settings.otlp_endpoint is None:
        return None
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    resource = Resource.create(
        {
            "service.name": service,
            "service.version": version,
            "service.instance.id": instance,
        }
    )
    provider = TracerProvider(
        ParentBased(TraceIdRatioBased(settings.sample_ratio)), resource, shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter(settings.otlp_endpoint, timeout=EXPORT_S)
    waiting = BatchSpanProcessor(exporter, MAX_WAITING, schedule_delay_millis=BATCH_S * 1_000)
    provider.add_span_processor(waiting)
    return Tracer(provider)


@contextmanager
def call(
    tracer: Tracer | None, method: str, metadata: Iterable[tuple[str, object]]
) -> Iterator[None]:
    """Trace one RPC. method: as gRPC names it. metadata: of the call."""
    if tracer is None:
        yield
        return
    service, _, name = method.strip("/").partition("/")
    told = {key: value for key, value in metadata if isinstance(value, str)}
    what = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
    span = tracer.server(method.strip("/"), told, what)
    try:
        yield
    except GenieHiveError as error:
        span.set_attribute("error.type", error.code)
        if error.http >= FAULT:
            failed(span)
        raise
    except BaseException as error:
        span.set_attribute("error.type", type(error).__name__)
        failed(span)
        raise
    finally:
        span.end()


def failed(span: "Span") -> None:
    """Tell that what `span` is about failed, and not by the caller's doing."""
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR)
