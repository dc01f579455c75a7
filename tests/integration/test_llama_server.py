"""The program `llama-server` itself, as a router, alone and asleep: what a node sees of it.

Looking must never load a model, nor wake one.
"""

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest

from node.engines.detect import look
from node.engines.sight import Sight
from tests.integration.cluster import running_cluster
from tests.integration.conftest import DEMO_MODEL, start_llama_server
from tests.processes import START_SECONDS, stop_all, wait_until

LOOKS = 10
LOAD_SECONDS = 60.0  # two seconds on a quiet machine
SLEEP_AFTER = 1


@pytest.fixture
def single(tmp_path) -> Iterator[str]:
    """One model, which sleeps when nobody asked for a second; its address."""
    options = ("-m", str(DEMO_MODEL), "--alias", "small", "-c", "2048", "-np", "2")
    sleeps = ("--sleep-idle-seconds", str(SLEEP_AFTER))
    service = start_llama_server(tmp_path / "single.log", *options, *sleeps)
    try:
        yield f"http://127.0.0.1:{service.port()}"
    finally:
        stop_all([service])


def seen(url: str, times: int = 1) -> list[Sight]:
    """Look so many times, as a node that was told nothing of the engine."""

    async def looking() -> list[Sight]:
        async with httpx.AsyncClient(trust_env=False) as client:
            return [await look(client, url, None) for _ in range(times)]

    return asyncio.run(looking())


def loaded(sight: Sight) -> dict[str, bool]:
    return {model.asset_id: model.loaded for model in sight.models or ()}


def chat(url: str, model: str, tokens: int = 4) -> None:
    """Ask for a few words and wait for them."""
    body = {"model": model, "max_tokens": tokens, "messages": [{"role": "user", "content": "Hi"}]}
    answer = httpx.post(
        f"{url}/v1/chat/completions", json=body, timeout=LOAD_SECONDS, trust_env=False
    )
    assert answer.status_code == httpx.codes.OK, answer.text


def states(router: str) -> dict[str, str]:
    """Return what the router says of its models, asked by us and not by a node."""
    listed = httpx.get(f"{router}/v1/models", trust_env=False).json()["data"]
    return {one["id"]: one["status"]["value"] for one in listed}


@pytest.mark.shows("llamacpp-router", "fingerprint", "assets", "loaded", by="real")
def test_a_router_shows_what_is_in_memory_and_looking_loads_nothing(llama_router):
    for sight in seen(llama_router, LOOKS):
        assert (sight.health, sight.engine, sight.loads_on_request) == (
            "healthy",
            "llamacpp",
            True,
        )
        assert loaded(sight) == {"small-one": False, "small-two": False}
    assert set(states(llama_router).values()) == {"unloaded"}

    chat(llama_router, "small-one")
    (sight,) = seen(llama_router)
    assert loaded(sight) == {"small-one": True, "small-two": False}

    # Only one fits into memory: it takes the place of the first, and looking changes nothing.
    chat(llama_router, "small-two")
    for sight in seen(llama_router, LOOKS):
        assert loaded(sight) == {"small-one": False, "small-two": True}
    assert states(llama_router) == {"small-one": "unloaded", "small-two": "loaded"}


@pytest.mark.shows("llamacpp-router", "load", by="real")
def test_a_router_tells_how_busy_it_is(llama_router):
    chat(llama_router, "small-one")
    (sight,) = seen(llama_router)

    assert sight.in_flight == 0
    assert sight.counters is not None
    assert sight.counters.generated_tokens is not None
    assert sight.counters.generated_tokens >= 4


@pytest.mark.shows("llamacpp", "fingerprint", "assets", "loaded", "load", by="real")
def test_a_model_that_sleeps_is_not_woken_by_looking(single):
    chat(single, "small")
    (awake,) = seen(single)
    assert (awake.health, awake.engine, loaded(awake)) == ("healthy", "llamacpp", {"small": True})
    assert awake.concurrency == 2
    assert awake.counters is not None
    assert awake.counters.generated_tokens is not None

    def sleeps() -> bool:
        return httpx.get(f"{single}/props", trust_env=False).json()["is_sleeping"] is True

    wait_until(sleeps, START_SECONDS, "the model sleeps")
    for sight in seen(single, LOOKS):
        assert loaded(sight) == {"small": False}
        assert (sight.health, sight.loads_on_request) == ("healthy", True)
        assert sleeps()


def test_a_chat_through_the_gateway_loads_what_the_router_has_on_disk(llama_router, tmp_path):
    services = [{"service_id": "router", "endpoint": llama_router}]
    with running_cluster(tmp_path, services) as cluster:
        cluster.wait_for_model("small-two")
        before = time.monotonic()
        chat(cluster.url, "small-two")
        took = time.monotonic() - before

        def told() -> bool:
            listed = httpx.get(f"{cluster.url}/v1/models", trust_env=False).json()["data"]
            counts = {one["id"]: one["geniehive"].get("loaded_asset_count") for one in listed}
            return (counts["small-one"], counts["small-two"]) == (0, 1)

        wait_until(told, START_SECONDS, "the gateway tells that it is in memory")
    print(f"\n  a model was loaded by a chat through the gateway in {took:.1f} s")
