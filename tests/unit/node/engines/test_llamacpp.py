"""llama.cpp's server, as its answers were seen."""

import json
from dataclasses import replace

import httpx
import pytest

from node.engines.llamacpp import MAX_ASKED_FOR, look
from node.engines.sight import Counters, Model

MODELS = {"data": [{"id": "smol", "owned_by": "llamacpp", "meta": {"n_ctx": 2048}}]}
PROPS = {
    "total_slots": 2,
    "is_sleeping": False,
    "default_generation_settings": {"n_ctx": 4096},
    "modalities": {"vision": True, "audio": False},
    "chat_template_caps": {"supports_tools": True},
    "build_info": "b1-7e4c0a9",
}
SMOL = Model("smol", True, 2048, format="gguf", capabilities=("vision", "tools"))
METRICS = """\
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
llamacpp:requests_deferred 3
llamacpp:tokens_predicted_total 400
llamacpp:tokens_predicted_seconds_total 10
llamacpp:prompt_tokens_total 31
llamacpp:prompt_seconds_total nan
"""
LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}

SILENT = (None, "")


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
        target = request.url.raw_path.decode()
        self.asked.append(target)
        self.presented.add(request.headers.get("authorization"))
        status, content = self.answers[target]
        if status is None:
            raise httpx.ReadTimeout("silent")
        text = content if isinstance(content, str) else json.dumps(content)
        return httpx.Response(status, text=text)

    async def look(self, key=""):
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as client:
            return await look(client, "http://a:1", key)


@pytest.mark.anyio
async def test_everything_it_tells_is_seen():
    sight = await Server().look()

    assert (sight.health, sight.engine, sight.concurrency) == ("healthy", "llamacpp", 2)
    assert sight.version == "b1-7e4c0a9"
    assert sight.models == (SMOL,)
    assert (sight.in_flight, sight.queue_depth) == (2, 3)
    assert sight.counters == Counters(400, 10, 31, None)
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

    assert [(model.asset_id, model.operation) for model in sight.models] == [
        ("minilm", "embeddings"),
        ("smol", None),
    ]


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
    assert sight.models == (replace(SMOL, loaded=False),)
    assert (sight.in_flight, sight.counters) == (None, None)
    assert server.asked == ["/health", "/v1/models", "/props"]
    assert sight.loads_on_request


@pytest.mark.anyio
async def test_metrics_that_are_off_are_not_asked_for():
    """It would be refused, and still keep an idle model from falling asleep."""
    server = Server(props=(200, {**PROPS, "endpoint_metrics": False}))
    sight = await server.look()

    assert server.asked == ["/health", "/v1/models", "/props"]
    assert (sight.concurrency, sight.counters) == (2, None)


@pytest.mark.anyio
async def test_while_it_does_not_tell_whether_it_sleeps_nothing_that_wakes_it_is_asked():
    """Neither is it taken for awake, nor a router for a server of one model."""
    server = Server(props=SILENT)
    sight = await server.look()

    assert server.asked == ["/health", "/v1/models", "/props"]
    assert (sight.health, sight.models, sight.loads_on_request) == ("healthy", None, None)


def routed(*models, autoload=True, **more):
    """Return what a router answers for models of these names and states."""
    listed = [{"id": name, "status": {"value": value, **status}} for name, value, status in models]
    props = {"role": "router", "models_autoload": autoload, "build_info": "b1"}
    return Server(props=(200, props), v1__models=(200, {"data": listed}), **more)


def of_model(name, slots=2):
    query = f"?model={name}&autoload=false"
    return {
        f"props{query}": (200, {**PROPS, "total_slots": slots}),
        f"metrics{query}": (200, METRICS),
    }


@pytest.mark.anyio
async def test_a_router_is_asked_about_what_is_loaded_and_told_to_load_nothing():
    server = routed(
        ("a", "loaded", {}),
        ("b", "unloaded", {"failed": True, "exit_code": 1}),
        ("c", "loading", {}),
        ("d", "sleeping", {}),
        ("e", "downloading", {}),
        ("f", "loaded", {}),
        **of_model("a"),
        **of_model("f", slots=1),
    )
    sight = await server.look()

    assert {one.asset_id: one.loaded for one in sight.models} == {
        "a": True,
        "b": False,
        "c": False,
        "d": False,
        "f": True,
    }
    assert sight.models[0] == replace(SMOL, asset_id="a", context_tokens=4096)
    assert (sight.concurrency, sight.in_flight, sight.queue_depth) == (3, 4, 6)
    assert sight.counters == Counters(800, 20, 62, None)
    assert sight.loads_on_request
    assert sight.version == "b1"
    assert all("autoload=false" in one for one in server.asked if "model=" in one)
    assert "/metrics" not in server.asked


@pytest.mark.anyio
async def test_a_model_that_was_unloaded_since_it_was_listed_tells_nothing():
    gone = (400, {"error": {"code": 400, "message": "model is not loaded"}})
    query = "?model=a&autoload=false"
    server = routed(("a", "loaded", {}), **{f"props{query}": gone, f"metrics{query}": gone})
    sight = await server.look()

    assert sight.models == (Model("a", True, format="gguf"),)
    assert (sight.concurrency, sight.in_flight, sight.counters) == (None, None, None)


@pytest.mark.anyio
async def test_what_is_known_of_a_model_stands_while_it_does_not_tell():
    silent = dict.fromkeys(of_model("a"), SILENT)
    sight = await routed(("a", "loaded", {}), ("b", "unloaded", {}), **silent).look()

    assert [one.loaded for one in sight.models] == [None, False]


@pytest.mark.anyio
async def test_a_router_that_loads_by_hand_alone_loads_nothing_on_request():
    assert (await routed(autoload=False).look()).loads_on_request is False


@pytest.mark.anyio
async def test_what_a_router_starts_with_tells_that_a_model_embeds():
    args = ["llama-server", "--embedding", "--model", "/x/y.gguf"]
    sight = await routed(("e", "unloaded", {"args": args}), ("c", "unloaded", {"args": 7})).look()

    assert [one.operation for one in sight.models] == ["embeddings", None]


@pytest.mark.anyio
async def test_of_many_loaded_models_some_are_asked_about():
    names = [f"m{number}" for number in range(MAX_ASKED_FOR + 3)]
    told = {key: value for name in names for key, value in of_model(name).items()}
    server = routed(*((name, "loaded", {}) for name in names), **told)
    sight = await server.look()

    assert sum("/metrics" in one for one in server.asked) == MAX_ASKED_FOR
    assert all(one.loaded for one in sight.models)


@pytest.mark.anyio
@pytest.mark.parametrize("off", [(501, {"error": {}}), (404, "File Not Found"), (200, "<html>")])
async def test_metrics_may_be_off(off):
    sight = await Server(metrics=off).look()

    assert sight.health == "healthy"
    assert (sight.in_flight, sight.queue_depth, sight.counters) == (None, None, None)


@pytest.mark.anyio
async def test_context_of_the_server_stands_in_for_that_of_the_model():
    sight = await Server(v1__models=(200, {"data": [{"id": "m"}]})).look()

    assert sight.models[0].context_tokens == 4096


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
