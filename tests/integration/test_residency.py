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
from tests.processes import START_SECONDS, wait_until

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
    # Nodes look as often as they beat; and no host is lost because this machine is busy.
    often = {"registry": {"grace_s": 0, "heartbeat_interval_s": 1, "lease_intervals": 20}}
    with running_cluster(folder, services, control=often) as cluster:
        for model in (ONE, TWO):
            cluster.wait_for_model(model)
        yield cluster


def in_memory(cluster: Cluster) -> dict[str, int]:
    """Return at how many services each model is, as the gateway knows it."""
    answer = httpx.get(f"{cluster.url}/v1/models", trust_env=False, timeout=START_SECONDS)
    listed = answer.json()["data"]
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


async def test_a_model_makes_way_only_for_what_nobody_else_has_in_memory(llama_router, tmp_path):
    options = ("-m", str(DEMO_MODEL), "--alias", TWO, "-c", "1024", "-np", "1")
    single = start_llama_server(tmp_path / "single.log", *options)
    ended: list[str] = []

    async def some(client: httpx.AsyncClient, model: str) -> None:
        for _ in range(TURNS):
            await ask(client, model, ended)

    try:
        engines = {"router": llama_router, "single": f"http://127.0.0.1:{single.port()}"}
        with hive(tmp_path, **engines) as cluster:
            chat(llama_router, ONE)
            until_known(cluster, small_one=1, small_two=1)
            async with clients_of(cluster) as client:
                # Many more than the one slot that is there: they wait, and nothing is loaded.
                served = Counter(await asyncio.gather(*(ask(client, TWO, []) for _ in range(8))))
                assert served == {"h1/single": 8}
                assert loads(tmp_path) == [ONE]
                assert states(llama_router) == {ONE: "loaded", TWO: "unloaded"}

                single.kill()
                until_known(cluster, small_one=1, small_two=0)
                async with asyncio.TaskGroup() as group:
                    for model in (ONE, TWO) * CLIENTS:
                        group.create_task(some(client, model))
    finally:
        single.kill()

    assert Counter(ended) == {ONE: CLIENTS * TURNS, TWO: CLIENTS * TURNS}
    swaps = len(loads(tmp_path)) - 1
    # To one and back, whoever came first; and room for one where somebody waited for too long.
    assert 1 <= swaps <= 3
    # Whose model is there goes ahead, so that each is served in one go.
    assert len(list(groupby(ended))) <= swaps + 1
    print(f"\n  {len(ended)} requests for two models by turns: {swaps} swaps")
