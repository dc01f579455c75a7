"""llama.cpp's server, also as llamafile and in router mode.

Asked: `/health`, `/v1/models`, `/props`, `/metrics`. Never `/slots`: it wakes a model
that sleeps.
"""

import math
from dataclasses import replace

import httpx

from node.engines.http import NoAnswer, Reply, get, refusal
from node.engines.openai import is_loading, models
from node.engines.sight import Model, Sight, count, document, field, slots

ENGINE = "llamacpp"


async def look(client: httpx.AsyncClient, url: str, key: str = "") -> Sight:
    """Return what the server at `url` shows; never raises for what the server does.

    key: the server's own, where it asks for one.
    """
    try:
        health = await get(client, f"{url}/health", key)
        if health.status == 503 and is_loading(health.body):
            return Sight("loading", "loading its model", ENGINE)
        if health.status != 200:
            return Sight("unhealthy", f"answers {health.status} at /health", ENGINE)
        listed = await get(client, f"{url}/v1/models", key)
        if listed.status != 200:
            return Sight("unhealthy", refusal(listed.status, key), ENGINE)
        props = document((await get(client, f"{url}/props", key)).body)
        asleep = field(props, "is_sleeping") is True
        # A router answers for one model at a time, and a sleeping model is left alone.
        alone = field(props, "role") != "router" and not asleep
        metrics = await get(client, f"{url}/metrics", key) if alone else Reply(404, b"")
    except NoAnswer as error:
        return Sight("unhealthy", str(error))
    found = models(listed.body)
    if found is None:
        return Sight("unhealthy", "answers 200 and no list at /v1/models", ENGINE)
    numbers = gauges(metrics.body) if metrics.status == 200 else {}
    return Sight(
        health="healthy",
        engine=ENGINE,
        models=tuple(_seen(model, props, asleep) for model in found),
        concurrency=slots(field(props, "total_slots")),
        # A router loads what it is asked for, and who sleeps wakes up.
        loads_on_request=field(props, "role") == "router" or asleep,
        in_flight=count(numbers.get("llamacpp:requests_processing")),
        queue_depth=count(numbers.get("llamacpp:requests_deferred")),
        # 0 stands for "nothing generated yet", which is no measurement.
        tokens_per_second=numbers.get("llamacpp:predicted_tokens_seconds") or None,
    )


def gauges(body: bytes) -> dict[str, float]:
    """Return the samples without labels of a Prometheus text; what is not finite is left out."""
    found: dict[str, float] = {}
    for line in body.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) < 2 or words[0].startswith("#"):
            continue
        try:
            value = float(words[1])
        except ValueError:
            continue
        if math.isfinite(value) and value >= 0:
            found[words[0]] = value
    return found


def _seen(model: Model, props: object, asleep: bool) -> Model:
    context = count(field(props, "default_generation_settings", "n_ctx")) or 0
    return replace(
        model,
        loaded=model.loaded and not asleep,
        context_tokens=model.context_tokens or context,
    )
