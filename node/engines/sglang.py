"""SGLang: one model, and adapters of it, in memory as long as it runs.

Asked: `/v1/models`, `/model_info`, `/server_info`, `/metrics`. Never `/health`, which may
generate a token, nor the paths of Ollama that it serves as well.
"""

import asyncio
from dataclasses import replace

import httpx

from node.engines import metrics_text
from node.engines.http import Reply, beside
from node.engines.metrics_text import Metrics
from node.engines.openai import listing
from node.engines.serving_metrics import counters, share
from node.engines.sight import MAX_CONCURRENCY, Operation, Sight, count, entries, field, slots, word

ENGINE = "sglang"


async def look(client: httpx.AsyncClient, url: str, key: str = "") -> Sight:
    """Return what the server at `url` shows; never raises for what the server does.

    key: the server's own, where it asks for one.
    """
    listed = await listing(client, url, key, ENGINE)
    if isinstance(listed, Sight):
        return listed
    described, info, told = await asyncio.gather(
        _info(client, url, "model_info", key),
        _info(client, url, "server_info", key),
        beside(client, f"{url}/metrics", key),
    )
    metrics = await metrics_text.read(told)
    operation = _operation(described.content)
    return Sight(
        "healthy",
        engine=ENGINE,
        # What they are for must not change because one question was not answered in time.
        models=tuple(replace(one, loaded=True, operation=operation) for one in listed.models)
        if described.status
        else None,
        concurrency=_concurrency(info.content),
        loads_on_request=False,
        in_flight=count(_total(metrics, "sglang:num_running_reqs")),
        queue_depth=count(_total(metrics, "sglang:num_queue_reqs")),
        version=word(field(info.content, "version")) or None,
        kv_cache_utilization=share(metrics.highest("sglang:token_usage")),
        counters=counters(metrics, "sglang"),
    )


async def _info(client: httpx.AsyncClient, url: str, name: str, key: str) -> Reply:
    reply = await beside(client, f"{url}/{name}", key)
    if reply.status == 404:  # as old versions call it
        return await beside(client, f"{url}/get_{name}", key)
    return reply


def _operation(described: object) -> Operation | None:
    generates = field(described, "is_generation")
    if isinstance(generates, bool):
        return "chat" if generates else "embeddings"
    return None


def _concurrency(info: object) -> int | None:
    """Return what all schedulers together take at the same time, as they reckon it."""
    name = "effective_max_running_requests_per_dp"
    told = [slots(field(one, name)) for one in entries(field(info, "internal_states"))]
    known = [one for one in told if one]
    return min(sum(known), MAX_CONCURRENCY) if known and len(known) == len(told) else None


def _total(metrics: Metrics, name: str) -> float | None:
    """Return the sum over all schedulers; ranks of tensor parallelism tell the same again."""
    first = metrics.total(name, tp_rank="0")
    return metrics.total(name) if first is None else first
