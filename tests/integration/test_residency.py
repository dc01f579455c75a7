"""Models that take each other's place: a real router of two of which one fits into memory.

Order and counts, through real processes; nothing here depends on how long anything takes.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import httpx
import pytest

from tests.integration.cluster import Cluster, running_cluster
from tests.integration.conftest import DEMO_MODEL, start_llama_server
from tests.integration.test_llama_server import LOAD_SECONDS, chat, states
from tests.processes import START_SECONDS, stop_all, wait_until

pytestmark = pytest.mark.anyio

ONE, TWO = "small-one", "small-two"
CLIENTS, TURNS = 3, 4  # for each model
LOADING = "spawning server instance with name="


def loads(folder: Path) -> list[str]:
    """Return which models the router loaded so far, in order."""
    lines = (folder / "router.log").read_text().splitlines()
    return [line.partition(LOADING)[2].split()[0] for line in lines if LOADING in line]


@contextmanager
def hive(folder: Path, **engines: str) -> Iterator[Cluster]:
    """Run a cluster before these engines, once it offers both models and knows what is loaded."""
    services = [{"service_id": name, "endpoint": url} for name, url in engines.items()]
    often = {"registry": {"grace_s": 0, "heartbeat_interval_s": 1}}  # nodes look as often
    with running_cluster(folder, services, control=often) as cluster:
        for model in (ONE, TWO):
            cluster.wait_for_model(model)
        yield cluster


def in_memory(cluster: Cluster) -> dict[str, int]:
    """Return at how many services each model is, as the gateway knows it."""
    listed = httpx.get(f"{cluster.url}/v1/models", trust_env=False).json()["data"]
    return {one["id"]: one["geniehive"].get("loaded_asset_count", 0) for one in listed}


def until_known(cluster: Cluster, **counts: int) -> None:
    expected = {name.replace("_", "-"): count for name, count in counts.items()}
    wait_until(lambda: expected.items() <= in_memory(cluster).items(), START_SECONDS, f"{expected}")


async def ask(client: httpx.AsyncClient, model: str, ended: list[str]) -> str:
    """Ask for a few words; return the service that gave them."""
    body = {"model": model, "max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]}
    answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status_code == httpx.codes.OK, answer.text
    ended.append(model)
    return answer.headers["x-geniehive-service"]


def clients_of(cluster: Cluster) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=cluster.url, trust_env=False, timeout=LOAD_SECONDS)


async def test_two_models_that_are_asked_for_by_turns_do_not_thrash(llama_router, tmp_path):
    ended: list[str] = []

    async def some(client: httpx.AsyncClient, model: str) -> None:
        for _ in range(TURNS):
            await ask(client, model, ended)

    def known() -> Cluster:
        cluster = opened.__enter__()
        chat(llama_router, ONE)
        until_known(cluster, small_one=1, small_two=0)
        return cluster

    opened = hive(tmp_path, router=llama_router)
    cluster = await asyncio.to_thread(known)
    try:
        async with clients_of(cluster) as client, asyncio.TaskGroup() as group:
            for model in (ONE, TWO) * CLIENTS:
                group.create_task(some(client, model))
    finally:
        await asyncio.to_thread(opened.__exit__, None, None, None)

    assert Counter(ended) == {ONE: CLIENTS * TURNS, TWO: CLIENTS * TURNS}
    swaps = len(loads(tmp_path)) - 1
    # To one and back, whoever came first; and room for one where somebody waited for too long.
    assert 1 <= swaps <= 3
    # Whose model is there goes ahead, so that each is served in one go.
    assert len(list(groupby(ended))) <= swaps + 1
    print(f"\n  {len(ended)} requests for two models by turns: {swaps} swaps")


async def test_nothing_is_evicted_for_a_model_that_is_in_memory_elsewhere(llama_router, tmp_path):
    options = ("-m", str(DEMO_MODEL), "--alias", TWO, "-c", "1024", "-np", "1")
    single = start_llama_server(tmp_path / "single.log", *options)

    def known() -> Cluster:
        cluster = opened.__enter__()
        chat(llama_router, ONE)
        until_known(cluster, small_one=1, small_two=1)
        return cluster

    try:
        opened = hive(tmp_path, router=llama_router, single=f"http://127.0.0.1:{single.port()}")
        cluster = await asyncio.to_thread(known)
        try:
            async with clients_of(cluster) as client:
                # Many more than the one slot that is there: they wait, and nothing is loaded.
                asks = [ask(client, TWO, []) for _ in range(12)]
                served = Counter(await asyncio.gather(*asks))
        finally:
            await asyncio.to_thread(opened.__exit__, None, None, None)
        assert served == {"h1/single": 12}
        assert loads(tmp_path) == [ONE]
        assert states(llama_router) == {ONE: "loaded", TWO: "unloaded"}
    finally:
        stop_all([single])
