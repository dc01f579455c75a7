"""Spans without a collector: what is made of errors, and what a dead collector costs."""

import logging
import socket
import threading
import time

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from pydantic import ValidationError

from control.api import tracing
from control.api.errors import GenieHiveError, NotFound
from control.api.tracing import Tracer, Tracing

METHOD = "/geniehive.v1.RoutingService/ResolveRoute"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return Tracer(provider)


def test_without_an_endpoint_nothing_is_traced():
    assert tracing.start(Tracing(), "s", "1", "i") is None


@pytest.mark.parametrize(
    "endpoint",
    [
        *("127.0.0.1:4317", "http://", "ftp://a:1", "http://[::1", "http://a", "http://:1"),
        *("http://a:x", "http://a:65536", "http://u:p@a:1", "http://a:1/v1", "http://a:1?b#c"),
    ],
)
def test_an_endpoint_is_a_scheme_a_host_and_a_port(endpoint):
    with pytest.raises(ValidationError, match="not http://HOST:PORT"):
        Tracing(otlp_endpoint=endpoint)


def test_a_call_belongs_to_the_trace_of_its_caller(tracer, spans):
    with tracing.call(tracer, METHOD, [("traceparent", PARENT), ("key-bin", b"\x00")]):
        pass

    (span,) = spans.get_finished_spans()
    assert f"{span.context.trace_id:032x}" in PARENT
    assert f"{span.parent.span_id:016x}" in PARENT
    assert span.name == METHOD[1:]
    assert span.attributes["rpc.service"] == "geniehive.v1.RoutingService"


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (NotFound("no"), "not_found", StatusCode.UNSET),
        (GenieHiveError("bug"), "internal_error", StatusCode.ERROR),
        (ZeroDivisionError(), "ZeroDivisionError", StatusCode.ERROR),
    ],
    ids=["the caller's", "ours", "a bug"],
)
def test_an_error_is_told_and_travels_on(tracer, spans, error, kind, status):
    with pytest.raises(type(error)), tracing.call(tracer, METHOD, ()):
        raise error

    (span,) = spans.get_finished_spans()
    assert span.attributes["error.type"] == kind
    assert span.status.status_code is status
    assert not span.events  # no text of the error, which may hold what callers sent


def test_a_collector_that_is_away_does_not_keep_us_from_stopping(caplog, monkeypatch):
    others = set(threading.enumerate())
    monkeypatch.setattr(tracing, "EXPORT_S", 0.5)  # that it tries on after we have left
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    tracer = tracing.start(Tracing(otlp_endpoint=f"http://127.0.0.1:{port}"), "s", "1", "i")
    with tracing.call(tracer, METHOD, ()):
        pass

    began = time.monotonic()
    tracer.stop(0.2)
    assert time.monotonic() - began < 5
    # It draws random numbers, and tests of properties see that.
    for thread in set(threading.enumerate()) - others:
        thread.join(30)
