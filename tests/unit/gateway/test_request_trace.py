"""The spans of one request: each service that was asked has its own, with what became of it."""

from types import SimpleNamespace

import pytest
from geniehive.v1 import inventory_pb2 as inventory
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from control.api.errors import AllBusy, UpstreamError, UpstreamTimeout
from control.api.tracing import Tracer
from gateway.reasoning import Usage
from gateway.request_head import RequestHead
from gateway.request_trace import RequestTrace

HEAD = RequestHead(inventory.OPERATION_CHAT, b"/v1/chat/completions", [])


@pytest.fixture
def kept():
    return InMemorySpanExporter()


@pytest.fixture
def trace(kept):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    made = RequestTrace(Tracer(provider), HEAD, b"req_1")
    made.named("mentor")
    return made


def service(name):
    return SimpleNamespace(
        service_id=f"{name}/a", host_id=name, origin=SimpleNamespace(host=name, port=1)
    )


def told(kept):
    """Return spans in the order of their ends: name or service, error, whether it is a fault."""
    return [
        (
            span.attributes.get("geniehive.service_id", "whole"),
            span.attributes.get("error.type"),
            span.status.status_code is StatusCode.ERROR,
        )
        for span in kept.get_finished_spans()
    ]


def test_each_attempt_has_its_error_and_the_request_none_if_one_answered(trace, kept):
    headers = []
    for name, error in (("x", UpstreamError("refused")), ("y", UpstreamTimeout("slow"))):
        headers.append(trace.attempt(service(name), b'"m"'))
        trace.failed(error)
    headers.append(trace.attempt(service("z"), b'"m"'))
    trace.first_byte()
    trace.over(200, Usage(3, 4), None)

    assert told(kept) == [
        ("x/a", "upstream_error", True),
        ("y/a", "upstream_timeout", True),
        ("z/a", None, False),
        ("whole", None, False),
    ]
    *attempts, whole = kept.get_finished_spans()
    assert whole.attributes["geniehive.attempts"] == 3
    assert {one.parent.span_id for one in attempts} == {whole.context.span_id}
    assert [f"{one.context.span_id:016x}".encode() in line for one, line in
            zip(attempts, headers, strict=True)] == [True] * 3  # fmt: skip
    assert attempts[2].attributes["gen_ai.usage.output_tokens"] == 4


def test_what_the_client_is_told_may_be_another_error_than_that_of_the_last_attempt(trace, kept):
    trace.attempt(service("x"), b'"m"')
    trace.failed(UpstreamError("refused"))
    trace.over(429, None, AllBusy("all services are busy"))

    assert told(kept) == [("x/a", "upstream_error", True), ("whole", "all_busy", False)]
    assert kept.get_finished_spans()[-1].attributes["http.response.status_code"] == 429


def test_what_it_waited_is_told_in_all_with_its_place_at_first(trace, kept):
    trace.waited(0.25, 3)
    trace.waited(1.0, 3)
    trace.left(0)
    (whole,) = kept.get_finished_spans()

    assert whole.attributes["geniehive.queue_ms"] == 1_250
    assert whole.attributes["geniehive.queue_position"] == 3


def test_a_client_that_leaves_is_no_fault_of_who_was_asked(trace, kept):
    trace.attempt(service("x"), b'"m"')
    trace.left(0)

    assert told(kept) == [("x/a", "client_left", False), ("whole", "client_left", False)]
