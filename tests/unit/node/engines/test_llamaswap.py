"""llama-swap: what it can start, what runs, and what is never asked."""

import pytest

from tests.engines.llamaswap import LlamaSwap
from tests.fakes import answers
from tests.unit.node.engines.standing import loaded, seen

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.shows("llama-swap", "fingerprint", "assets", "loaded", by="stand-in"),
]


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize(
    ("state", "expected"), [("ready", True), ("starting", False), ("stopping", False)]
)
async def test_only_what_is_ready_is_loaded(tells, state, expected):
    async with LlamaSwap(["a", "b"], tells=tells) as engine:
        engine.states = {"a": state}
        sight = await seen(engine)

        assert (sight.health, sight.engine, sight.loads_on_request) == (
            "healthy",
            "llama-swap",
            True,
        )
        assert loaded(sight) == {"a": expected, "b": False}


async def test_looking_starts_and_stops_nothing():
    async with LlamaSwap(["a", "b"]) as engine:
        engine.start_model("b")
        await seen(engine)
        await seen(engine, "llama-swap")

        assert engine.states == {"b": "ready"}
        assert set(engine.paths()) == {"GET /v1/models", "GET /running"}


async def test_what_runs_is_what_the_list_says_where_nothing_else_does():
    async with LlamaSwap(["a", "b"]) as engine:
        engine.start_model("a")
        engine.instead["/running"] = answers.failure(500, "broken")

        assert loaded(await seen(engine)) == {"a": True, "b": None}


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (answers.failure(403, "who?"), "asks for an API key (403)"),
        (answers.whole(b"<html>"), "answers 200 and no list"),
    ],
    ids=["keyed", "page"],
)
async def test_a_broken_list_says_what_is_broken(answer, detail):
    async with LlamaSwap(["a"]) as engine:
        engine.instead["/v1/models"] = answer
        sight = await seen(engine, "llama-swap")

    assert sight.health == "unhealthy"
    assert sight.detail.startswith(detail)
