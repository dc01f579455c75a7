"""llama.cpp's server, as its answers were seen."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.engines.llamacpp import gauges, look
from node.engines.sight import Model

MODELS = {"data": [{"id": "smol", "owned_by": "llamacpp", "meta": {"n_ctx": 2048}}]}
PROPS = {"total_slots": 2, "is_sleeping": False, "default_generation_settings": {"n_ctx": 4096}}
METRICS = """\
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
llamacpp:requests_deferred 3
llamacpp:predicted_tokens_seconds 41.5
llamacpp:prompt_tokens_seconds nan
"""
LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}


class Server:
    """Answers by path; what is not scripted must not be asked."""

    def __init__(self, **answers):
        self.asked = []
        self.presented = set()
        self.answers = {
            "/health": (200, {"status": "ok"}),
            "/v1/models": (200, MODELS),
            "/props": (200, PROPS),
            "/metrics": (200, METRICS),
        } | {f"/{path.replace('__', '/')}": answer for path, answer in answers.items()}

    def __call__(self, request):
        self.asked.append(request.url.path)
        self.presented.add(request.headers.get("authorization"))
        status, content = self.answers[request.url.path]
        text = content if isinstance(content, str) else json.dumps(content)
        return httpx.Response(status, text=text)

    async def look(self, key=""):
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as client:
            return await look(client, "http://a:1", key)


@pytest.mark.anyio
async def test_everything_it_tells_is_seen():
    sight = await Server().look()

    assert (sight.health, sight.engine, sight.concurrency) == ("healthy", "llamacpp", 2)
    assert sight.models == (Model("smol", True, 2048),)
    assert (sight.in_flight, sight.queue_depth, sight.tokens_per_second) == (2, 3, 41.5)
    assert sight.loads_on_request is False


@pytest.mark.anyio
@pytest.mark.parametrize(("key", "presented"), [("", {None}), ("k", {"Bearer k"})])
async def test_its_key_is_presented_with_every_question(key, presented):
    server = Server()
    await server.look(key)

    assert server.asked == ["/health", "/v1/models", "/props", "/metrics"]
    assert server.presented == presented


@pytest.mark.anyio
async def test_a_server_that_refuses_its_key_is_not_asked_further_and_its_detail_shows_none():
    server = Server(v1__models=(401, {"error": "Invalid API Key: canary"}))
    sight = await server.look("canary")

    assert (sight.health, server.asked) == ("unhealthy", ["/health", "/v1/models"])
    assert sight.detail.startswith("refuses its API key (401)")
    assert "canary" not in repr(sight)


@pytest.mark.anyio
async def test_a_model_with_the_vocabulary_of_bert_embeds():
    entries = [
        {"id": name, "meta": {"vocab_type": kind}} for name, kind in (("minilm", 3), ("smol", 2))
    ]
    sight = await Server(v1__models=(200, {"data": entries})).look()

    assert sight.models == (
        Model("minilm", True, 4096, "embeddings"),
        Model("smol", True, 4096),
    )


@pytest.mark.anyio
async def test_while_it_loads_nothing_else_is_asked():
    server = Server(health=(503, LOADING))
    sight = await server.look()

    assert sight.health == "loading"
    assert sight.loads_on_request is None
    assert server.asked == ["/health"]


@pytest.mark.anyio
async def test_a_sleeping_model_is_let_sleep():
    """Its numbers are not worth a reload; `/slots` would wake it, and is never asked."""
    server = Server(props=(200, {**PROPS, "is_sleeping": True}))
    sight = await server.look()

    assert sight.health == "healthy"
    assert sight.models == (Model("smol", False, 2048),)
    assert server.asked == ["/health", "/v1/models", "/props"]
    assert sight.loads_on_request


@pytest.mark.anyio
async def test_a_router_tells_what_is_loaded():
    listed = [
        {"id": "a", "status": {"value": "loaded"}},
        {"id": "b", "status": {"value": "unloaded"}},
    ]
    server = Server(props=(200, {"role": "router"}), v1__models=(200, {"data": listed}))
    sight = await server.look()

    assert sight.models == (Model("a", True), Model("b", False))
    assert sight.concurrency is None
    assert sight.loads_on_request
    assert "/metrics" not in server.asked


@pytest.mark.anyio
@pytest.mark.parametrize("off", [(501, {"error": {}}), (404, "File Not Found"), (200, "<html>")])
async def test_metrics_may_be_off(off):
    sight = await Server(metrics=off).look()

    assert sight.health == "healthy"
    assert (sight.in_flight, sight.queue_depth, sight.tokens_per_second) == (None, None, None)


@pytest.mark.anyio
async def test_context_of_the_server_stands_in_for_that_of_the_model():
    sight = await Server(v1__models=(200, {"data": [{"id": "m"}]})).look()

    assert sight.models == (Model("m", True, 4096),)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answers", "detail"),
    [
        ({"health": (500, "")}, "500 at /health"),
        ({"v1__models": (401, {})}, "asks for an API key (401)"),
        ({"v1__models": (500, {})}, "500 at /v1/models"),
        ({"v1__models": (200, "what")}, "200 and no list"),
    ],
)
async def test_a_broken_server_says_what_is_broken(answers, detail):
    sight = await Server(**answers).look()

    assert sight.health == "unhealthy"
    assert detail in sight.detail


@given(st.binary(max_size=200))
def test_no_bytes_break_the_gauges(body):
    assert all(value >= 0 for value in gauges(body).values())
