"""vLLM: one model, and adapters of it, in memory as long as it runs.

Asked: `/health`, `/v1/models`, `/version`, `/metrics`. What the model is for is told by
the routes that vLLM has for it: one that only takes POST answers GET with 405.
"""

import asyncio
from dataclasses import replace

import httpx

from node.engines import metrics_text
from node.engines.http import NoAnswer, Reply, beside, get
from node.engines.metrics_text import Metrics
from node.engines.openai import listing
from node.engines.serving_metrics import counters, share
from node.engines.sight import Operation, Sight, count, field, word

ENGINE = "vllm"
ROUTES: dict[Operation, str] = {
    "chat": "/v1/chat/completions",
    "embeddings": "/v1/embeddings",
    "transcription": "/v1/audio/transcriptions",
}
POST_ONLY = 405


async def look(client: httpx.AsyncClient, url: str, key: str = "") -> Sight:
    """Return what the server at `url` shows; never raises for what the server does.

    key: the server's own, where it asks for one.
    """
    try:
        health = await get(client, f"{url}/health", key)
    except NoAnswer as error:
        return error.sight
    if health.status != 200:
        # 503 where its engine is dead; it does not come back by itself.
        return Sight("unhealthy", f"answers {health.status} at /health", ENGINE)
    listed = await listing(client, url, key, ENGINE)
    if isinstance(listed, Sight):
        return listed
    version, told, *routes = await asyncio.gather(
        beside(client, f"{url}/version", key),
        beside(client, f"{url}/metrics", key),
        *(beside(client, url + path, key) for path in ROUTES.values()),
    )
    metrics = await metrics_text.read(told)
    asleep = _is_asleep(metrics)
    operation = _operation(routes)
    return Sight(
        # Asked while it sleeps it answers nothing at all, and it does not wake up by itself.
        "unhealthy" if asleep else "healthy",
        "sleeps; POST /wake_up wakes it" if asleep else "",
        ENGINE,
        # What they are for must not change because one question was not answered in time.
        tuple(replace(one, loaded=not asleep, operation=operation) for one in listed.models)
        if all(route.status for route in routes)
        else None,
        loads_on_request=False,
        in_flight=count(metrics.total("vllm:num_requests_running")),
        queue_depth=count(metrics.total("vllm:num_requests_waiting")),
        version=word(field(version.content, "version")) or None,
        kv_cache_utilization=share(_cache_use(metrics)),
        counters=counters(metrics, "vllm"),
    )


def _operation(routes: list[Reply]) -> Operation | None:
    """Return what the model is for, or None when the routes do not tell.

    A chat model that hears has a route for transcription as well. Old versions have all
    routes, whatever the model.
    """
    there = [
        operation
        for operation, reply in zip(ROUTES, routes, strict=True)
        if reply.status == POST_ONLY
    ]
    if "chat" in there and "embeddings" in there:
        return None
    return there[0] if there else None


def _is_asleep(metrics: Metrics) -> bool:
    """Several engines sleep and wake together."""
    return metrics.highest("vllm:engine_sleep_state", sleep_state="awake") == 0


def _cache_use(metrics: Metrics) -> float | None:
    """Return the use of the fullest engine; the second name is that of old versions."""
    new = metrics.highest("vllm:kv_cache_usage_perc")
    return metrics.highest("vllm:gpu_cache_usage_perc") if new is None else new
