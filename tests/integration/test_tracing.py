"""What is traced arrives at a collector, belongs together, and holds no content."""

from collections.abc import Iterator

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from tests.fakes.answers import Answer, completion, document
from tests.fakes.collector import Collector, attributes, collecting
from tests.fakes.engine import Engine, Request
from tests.integration.cluster import Cluster, running_cluster

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENT = f"00-{TRACE}-00f067aa0ba902b7-01"
UNSAMPLED = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-00f067aa0ba902b7-00"
CANARY = "canary-4711"
SERVER, TO_OTHERS = 2, 3  # kinds of spans


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, str]]:
    with collecting() as running:
        yield running


class Cases:
    """Engines that answer, and one that refuses."""

    def __init__(self):
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Answer:
        if request.method == "GET":
            return document({"data": []})
        self.requests.append(request)
        if b'"broken"' in request.body:
            return document({"error": {"message": "no"}}, 500)
        return document(completion(f"{CANARY} answer", "m"))


@pytest.fixture(scope="module")
def engines() -> Cases:
    return Cases()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, collector, engines) -> Iterator[Cluster]:
    _, endpoint = collector
    tracing = {"tracing": {"otlp_endpoint": endpoint}}
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Engine(engines.answer)) as engine,
        running_cluster(
            tmp_path_factory.mktemp("tracing"),
            [
                {
                    "service_id": "a",
                    "endpoint": engine.url,
                    "assets": [{"asset_id": "m"}, {"asset_id": "broken"}],
                }
            ],
            control=tracing,
            gateway=tracing,
        ) as running,
    ):
        running.wait_for_model("broken")
        yield running


def ask(cluster, model, traceparent):
    body = {"model": model, "messages": [{"role": "user", "content": CANARY}]}
    headers = {"traceparent": traceparent, "tracestate": "vendor=1"}
    return httpx.post(
        f"{cluster.url}/v1/chat/completions", json=body, headers=headers, trust_env=False
    )


def test_a_chat_is_a_span_of_the_gateway_and_one_for_the_service(cluster, collector, engines):
    answer = ask(cluster, "m", CLIENT)

    (_, request), (_, attempt) = spans = collector[0].wait_for(TRACE, 2)
    assert {service for service, _ in spans} == {"geniehive-gateway"}
    assert (request.kind, request.name) == (SERVER, "chat m")
    assert request.parent_span_id.hex() == "00f067aa0ba902b7"
    asked = attributes(request)
    assert asked["gen_ai.operation.name"] == "chat"
    assert asked["gen_ai.request.model"] == "m"
    assert asked["gen_ai.usage.input_tokens"] == answer.json()["usage"]["prompt_tokens"]
    assert asked["http.response.status_code"] == 200
    assert asked["geniehive.request_id"] == answer.headers["x-request-id"]
    assert asked["geniehive.attempts"] == 1
    assert (attempt.kind, attempt.parent_span_id) == (TO_OTHERS, request.span_id)
    assert attributes(attempt)["geniehive.service_id"] == "h1/a"
    headers = dict(engines.requests[-1].headers)
    assert headers["traceparent"] == f"00-{TRACE}-{attempt.span_id.hex()}-01"
    assert headers["tracestate"] == "vendor=1"


def test_a_failure_is_told_by_its_code(cluster, collector):
    trace = TRACE[::-1]
    ask(cluster, "broken", f"00-{trace}-00f067aa0ba902b7-01")

    (_, request), (_, attempt) = collector[0].wait_for(trace, 2)
    assert attributes(attempt)["error.type"] == "upstream_error"
    assert attributes(request)["error.type"] == "upstream_error"
    assert attributes(request)["http.response.status_code"] == 502
    assert request.status.code == attempt.status.code == 2


def test_what_control_does_for_a_client_belongs_to_the_same_trace(cluster, collector):
    trace = "b" * 32
    answer = httpx.get(
        f"{cluster.url}/v1/cluster/routes/resolve?model=m",
        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
        trust_env=False,
    )

    assert answer.status_code == 200
    (first, outer), (second, inner) = collector[0].wait_for(trace, 2)
    assert (first, second) == ("geniehive-gateway", "geniehive-control")
    assert inner.parent_span_id == outer.span_id
    assert attributes(inner)["rpc.method"] == "ResolveRoute"
    assert attributes(outer)["http.response.status_code"] == 200


def test_who_does_not_want_to_be_traced_is_not(cluster, collector, engines):
    ask(cluster, "m", UNSAMPLED)
    ask(cluster, "m", CLIENT.replace(TRACE, "c" * 32))

    collector[0].wait_for("c" * 32, 2)  # whatever came before has been sent by now
    assert not collector[0].of("a" * 32)
    told = [dict(one.headers)["traceparent"] for one in engines.requests]
    assert any(one.startswith(f"00-{'a' * 32}") and one.endswith("-00") for one in told)


def test_no_content_is_traced(cluster, collector):
    ask(cluster, "m", CLIENT.replace(TRACE, "d" * 32))

    collector[0].wait_for("d" * 32, 2)
    assert CANARY.encode() not in collector[0].raw
