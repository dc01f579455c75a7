"""Every answer of the app has a name, and a span that tells how it ended."""

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from control.api.errors import NoHealthyRoute
from control.api.tracing import MAX_NAME, Tracer
from tests.integration.gateway.front import front

pytestmark = pytest.mark.anyio

RESOLVE = "/v1/cluster/routes/resolve?model=m"


@pytest.fixture
async def serving():
    async with front("protocol") as started:
        yield started


@pytest.fixture
def spans(serving):
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    serving.gateway.tracer = Tracer(provider)
    return kept


async def get(serving, path):
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(serving.url + path)


async def test_a_bug_has_a_name_too_and_its_span_says_so(serving, spans):
    serving.control.answer = None  # nothing that could be told
    answer = await get(serving, RESOLVE)
    (span,) = spans.get_finished_spans()

    assert answer.status_code == 500
    assert answer.headers["x-request-id"].startswith("req_")
    assert span.attributes["http.response.status_code"] == 500
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [("/v1/nothing", 404, StatusCode.UNSET), (RESOLVE, 503, StatusCode.ERROR)],
    ids=["the client's", "ours"],
)
async def test_an_error_is_ours_or_the_clients(serving, spans, path, status, told):
    serving.control.answer = NoHealthyRoute("nobody")
    answer = await get(serving, path)
    (span,) = spans.get_finished_spans()

    assert (answer.status_code, span.attributes["http.response.status_code"]) == (status, status)
    assert span.status.status_code is told


async def test_a_long_path_makes_no_large_span(serving, spans):
    await get(serving, f"/v1/cluster/hosts/{'x' * 4_000}")
    (span,) = spans.get_finished_spans()

    assert len(span.name) <= MAX_NAME
    assert len(span.attributes["url.path"]) <= MAX_NAME


async def test_what_watches_us_is_not_traced(serving, spans):
    await get(serving, "/health")

    assert not spans.get_finished_spans()
