"""LM Studio: by its newer API, by the older one, and by its list alone."""

import httpx
import pytest

from node.engines.sight import Model
from tests.engines.lmstudio import CONTEXT, LMStudio
from tests.fakes import answers
from tests.unit.node.engines.standing import loaded, operations, seen

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.shows("lmstudio", "fingerprint", "assets", "capabilities", "loaded", by="stand-in"),
]

MODELS = ["qwen3-4b", "qwen3-vl-4b", "text-embedding-nomic-embed-text-v1.5"]


@pytest.mark.parametrize("v1", [True, False])
async def test_everything_it_tells_is_seen(v1):
    async with LMStudio(MODELS, v1=v1) as engine:
        engine.bring("qwen3-vl-4b")
        sight = await seen(engine)

    assert (sight.health, sight.engine, sight.loads_on_request) == ("healthy", "lmstudio", True)
    assert sight.models[1] == Model(
        "qwen3-vl-4b",
        True,
        CONTEXT,
        "chat",
        "qwen3",
        format="gguf",
        capabilities=("vision", "tools"),
        size_bytes=241_410_208 if v1 else 0,
    )
    assert list(loaded(sight).values()) == [False, True, False]
    assert list(operations(sight).values()) == ["chat", "chat", "embeddings"]


async def test_what_is_not_loaded_has_no_context_yet():
    """How much it could have is told; with how much it is loaded is its owner's choice."""
    async with LMStudio(MODELS) as engine:
        assert (await seen(engine)).models[0].context_tokens == 0


async def test_without_loading_on_request_only_what_is_loaded_is_offered():
    async with LMStudio(MODELS, loads=False) as engine:
        empty = await seen(engine)
        engine.bring("qwen3-4b")
        sight = await seen(engine)

    assert (empty.engine, empty.models, empty.loads_on_request) == ("lmstudio", (), None)
    assert loaded(sight) == {"qwen3-4b": True}
    assert sight.loads_on_request is None


async def test_a_second_instance_is_known_by_its_own_name():
    async with LMStudio(["qwen3-4b"], loads=False) as engine:
        engine.bring("qwen3-4b")
        engine.bring("qwen3-4b")
        sight = await seen(engine)

    assert loaded(sight) == {"qwen3-4b": True, "qwen3-4b:2": True}
    assert {one.context_tokens for one in sight.models} == {CONTEXT}


async def test_what_is_unloaded_by_its_own_api_is_seen():
    async with LMStudio(["qwen3-4b"]) as engine:
        async with httpx.AsyncClient(base_url=engine.url, trust_env=False) as client:
            path = "/api/v1/models/load"
            instance = (await client.post(path, json={"model": "qwen3-4b"})).json()["instance_id"]
            assert loaded(await seen(engine)) == {"qwen3-4b": True}
            await client.post("/api/v1/models/unload", json={"instance_id": instance})

        assert loaded(await seen(engine)) == {"qwen3-4b": False}


async def test_facts_that_fail_unload_nothing():
    async with LMStudio(MODELS) as engine:
        for path in ("/api/v1/models", "/api/v0/models"):
            engine.instead[path] = answers.failure(500, "broken")
        sight = await seen(engine, "lmstudio")

    assert sight.health == "healthy"
    assert set(loaded(sight).values()) == {None}


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (answers.failure(500, "broken"), "answers 500 at /v1/models"),
        (answers.document({"error": "Unexpected endpoint"}), "answers 200 and no list"),
    ],
    ids=["broken", "shape"],
)
async def test_a_broken_list_says_what_is_broken(answer, detail):
    async with LMStudio(MODELS) as engine:
        engine.instead["/v1/models"] = answer
        sight = await seen(engine, "lmstudio")

    assert sight.health == "unhealthy"
    assert sight.detail.startswith(detail)
