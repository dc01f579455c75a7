"""Ollama: what it lists, what is in memory, and what it is for."""

import httpx
import pytest

from node.engines.sight import Model
from tests.engines.ollama import CONTEXT, VERSION, Ollama, Weights, weights
from tests.fakes import answers
from tests.unit.node.engines.standing import loaded, operations, seen

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.shows(
        "ollama", "fingerprint", "assets", "capabilities", "loaded", "load", by="stand-in"
    ),
]


@pytest.fixture
async def ollama(anyio_backend):
    async with Ollama(["qwen3", "llama3.2:3b", "nomic-embed-text"]) as engine:
        yield engine


async def call(engine, method, path, **body):
    async with httpx.AsyncClient(base_url=engine.url, trust_env=False) as client:
        answer = await client.request(method, path, json=body)
    assert answer.is_success, answer.text


async def test_everything_it_tells_is_seen(ollama):
    ollama.load(ollama.disk["qwen3:latest"])
    sight = await seen(ollama)

    assert (sight.health, sight.engine, sight.version) == ("healthy", "ollama", VERSION)
    assert sight.models[0] == Model(
        "qwen3",
        True,
        CONTEXT,
        "chat",
        "qwen",
        weights("qwen3").digest,
        format="gguf",
        capabilities=("completion", "tools"),
        size_bytes=weights("qwen3").size,
    )
    assert loaded(sight) == {"qwen3": True, "llama3.2:3b": False, "nomic-embed-text": False}
    assert sight.vram_used_bytes == weights("qwen3").size
    assert sight.loads_on_request
    assert (sight.concurrency, sight.in_flight, sight.queue_depth) == (None, None, None)


async def test_looking_asks_for_nothing_to_be_done(ollama):
    await seen(ollama)
    await seen(ollama, "ollama")

    assert {path.split()[0] for path in ollama.paths()} == {"GET"}
    assert ollama.memory == {}


@pytest.mark.parametrize("old", [False, True])
async def test_what_embeds_is_for_embeddings_alone(old):
    async with Ollama(["qwen3", "all-minilm", "bge-m3:567m"], old=old) as engine:
        sight = await seen(engine)

    assert operations(sight) == {
        "qwen3": "chat",
        "all-minilm": "embeddings",
        "bge-m3:567m": "embeddings",
    }


async def test_what_is_done_by_its_own_api_is_seen(ollama):
    await call(ollama, "POST", "/api/pull", model="gemma3")
    await call(ollama, "POST", "/api/generate", model="gemma3")
    assert loaded(await seen(ollama, "ollama"))["gemma3"] is True

    await call(ollama, "POST", "/api/generate", model="gemma3", keep_alive=0)
    sight = await seen(ollama, "ollama")
    assert loaded(sight)["gemma3"] is False
    assert sight.vram_used_bytes == 0

    await call(ollama, "DELETE", "/api/delete", model="gemma3")
    assert "gemma3" not in loaded(await seen(ollama, "ollama"))


@pytest.mark.parametrize(("listed", "runs"), [("q", "q:latest"), ("q:latest", "q")])
async def test_what_is_in_memory_is_known_however_it_is_spelt(ollama, listed, runs):
    ollama.instead["/api/tags"] = answers.document({"models": [{"model": listed}]})
    ollama.instead["/api/ps"] = answers.document({"models": [{"model": runs}]})

    assert loaded(await seen(ollama)) == {"q": True}


async def test_a_broken_list_of_what_runs_unloads_nothing(ollama):
    ollama.instead["/api/ps"] = answers.failure(500, "broken")
    sight = await seen(ollama)

    assert sight.health == "healthy"
    assert set(loaded(sight).values()) == {None}
    assert sight.vram_used_bytes is None


async def test_a_broken_list_of_models_changes_none(ollama):
    ollama.instead["/api/tags"] = answers.failure(500, "broken manifest")
    sight = await seen(ollama)

    assert (sight.health, sight.detail) == ("healthy", "answers 500 at /api/tags")
    assert sight.models is None


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (answers.failure(404, "File Not Found"), "answers 404 at /api/tags"),
        (answers.failure(401, "who?"), "asks for an API key (401)"),
        (answers.whole(b"<html>"), "answers 200 and no list at /api/tags"),
        (answers.document({"models": {}}), "answers 200 and no list at /api/tags"),
    ],
    ids=["other", "keyed", "page", "shape"],
)
async def test_what_is_no_ollama_says_so(ollama, answer, detail):
    ollama.instead["/api/tags"] = answer
    sight = await seen(ollama, "ollama")

    assert sight.health == "unhealthy"
    assert sight.detail.startswith(detail)


async def test_one_without_models_is_known_and_has_none():
    async with Ollama() as engine:
        sight = await seen(engine)

    assert (sight.engine, sight.models) == ("ollama", ())


async def test_what_another_machine_would_answer_is_not_offered(ollama):
    cloud = Weights("gpt-oss:120b-cloud", False, "gptoss", remote_host="https://elsewhere")
    ollama.disk[cloud.name] = cloud

    assert cloud.name not in loaded(await seen(ollama))


async def test_what_neither_chats_nor_embeds_is_not_offered(ollama):
    entry = ollama.entry(weights("flux"))
    listed = [{**entry, "capabilities": ["image"]}, {**entry, "model": "qwen3:latest"}]
    ollama.instead["/api/tags"] = answers.document({"models": listed})

    assert list(loaded(await seen(ollama))) == ["qwen3"]


@pytest.mark.parametrize(("told", "expected"), [("4", 4), ("0", None), ("many", None), ("", None)])
async def test_its_parallelism_is_known_where_ours_tells_it(ollama, monkeypatch, told, expected):
    monkeypatch.setenv("OLLAMA_NUM_PARALLEL", told)

    assert (await seen(ollama)).concurrency == expected


async def test_numbers_that_make_no_sense_are_not_taken(ollama):
    ollama.load(ollama.disk["qwen3:latest"])
    entry = {"model": "qwen3:latest", "size": -1, "digest": 7, "details": None}
    running = {**entry, "size_vram": float("nan"), "context_length": -4}
    ollama.instead["/api/tags"] = answers.document({"models": [entry, entry, None, "x"]})
    ollama.instead["/api/ps"] = answers.document({"models": [running, 7]})
    sight = await seen(ollama)

    assert sight.models == (Model("qwen3", True, operation="chat"),)
    assert sight.vram_used_bytes == 0
