"""llama.cpp's server, also as llamafile and in router mode.

Asked: `/health`, `/v1/models`, `/props`, `/metrics`. Never `/slots`: it wakes a model
that sleeps. A router is asked about models that are in memory alone, and told each time
to load none. `/metrics` restarts the clock after which an idle model falls asleep; a router
shows which of its models do, and is not asked for theirs.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from urllib.parse import urlencode

import httpx

from node.engines import metrics_text
from node.engines.http import NoAnswer, Reply, beside, get
from node.engines.metrics_text import Metrics
from node.engines.openai import Listing, is_loading, listing
from node.engines.sight import Counters, Model, Sight, count, entries, field, slots, word

ENGINE = "llamacpp"
MAX_ASKED_FOR = 8  # models of a router that are asked about each time; it holds 4 by default


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is told of models in memory: `/props` and `/metrics`."""

    props: object
    metrics: Metrics
    silent: bool = False  # `/props` was waited for in vain


UNASKED = Loaded(None, Metrics())


async def look(client: httpx.AsyncClient, url: str, key: str = "") -> Sight:
    """Return what the server at `url` shows; never raises for what the server does.

    key: the server's own, where it asks for one.
    """
    try:
        health = await get(client, f"{url}/health", key)
    except NoAnswer as error:
        return error.sight
    if health.status == 503 and is_loading(health.body):
        return Sight("loading", "loading its model", ENGINE)
    if health.status != 200:
        return Sight("unhealthy", f"answers {health.status} at /health", ENGINE)
    listed = await listing(client, url, key, ENGINE)
    if isinstance(listed, Sight):
        return listed
    told = await beside(client, f"{url}/props", key)
    if not told.status:
        # Asked further it may wake up, or be taken for what it is not.
        return Sight("healthy", engine=ENGINE)
    props = told.content
    if field(props, "role") == "router":
        return await _router(client, url, key, listed, props)
    # A sleeping model is left alone, and its last numbers say nothing about now.
    asleep = field(props, "is_sleeping") is True
    # To be told in vain would keep it awake all the same.
    tells = field(props, "endpoint_metrics") is not False and not asleep
    metrics = await beside(client, f"{url}/metrics", key) if tells else Reply(0, b"")
    loaded = Loaded(props, await metrics_text.read(metrics))
    sight = Sight(
        "healthy",
        engine=ENGINE,
        models=tuple(
            replace(_described(one, loaded), loaded=one.loaded and not asleep)
            for one in listed.models
        ),
        loads_on_request=asleep,  # who sleeps wakes up
        version=_version(props),
    )
    return _with_load(sight, [loaded])


async def _router(
    client: httpx.AsyncClient, url: str, key: str, listed: Listing, props: object
) -> Sight:
    """Return what a router shows: each model is a server of its own, started when asked for."""
    asked = [one.asset_id for one in listed.models if one.loaded][:MAX_ASKED_FOR]
    # Whoever asks for its metrics keeps a model awake that should fall asleep.
    tired = _falling_asleep(listed.reply.content)
    answers = await asyncio.gather(
        *(_of_model(client, url, key, one, counts=one not in tired) for one in asked)
    )
    loaded = dict(zip(asked, answers, strict=True))
    unfinished = _downloading(listed.reply.content)
    sight = Sight(
        "healthy",
        engine=ENGINE,
        models=tuple(
            _described(one, loaded.get(one.asset_id, UNASKED))
            for one in listed.models
            if one.asset_id not in unfinished
        ),
        loads_on_request=field(props, "models_autoload") is not False,
        version=_version(props),
    )
    return _with_load(sight, answers)


async def _of_model(
    client: httpx.AsyncClient, url: str, key: str, model: str, *, counts: bool
) -> Loaded:
    """Return what is told of one model; of what it counts nothing unless `counts`."""
    # It may have been unloaded since it was listed; looking must not bring it back.
    query = urlencode({"model": model, "autoload": "false"})
    paths = ["/props", *(["/metrics"] if counts else [])]
    replies = await asyncio.gather(*(beside(client, f"{url}{one}?{query}", key) for one in paths))
    metrics = replies[1] if counts else Reply(0, b"")
    return Loaded(replies[0].content, await metrics_text.read(metrics), not replies[0].status)


def _with_load(sight: Sight, loaded: Sequence[Loaded]) -> Sight:
    """Return `sight` with how busy the models in memory are, all together."""

    def total(name: str) -> float | None:
        told = [value for one in loaded if (value := one.metrics.total(name)) is not None]
        return sum(told) if told else None

    counters = Counters(
        generated_tokens=total("llamacpp:tokens_predicted_total"),
        generation_seconds=total("llamacpp:tokens_predicted_seconds_total"),
        prompt_tokens=total("llamacpp:prompt_tokens_total"),
        prompt_seconds=total("llamacpp:prompt_seconds_total"),
    )
    slots_told = [slots(field(one.props, "total_slots")) or 0 for one in loaded]
    return replace(
        sight,
        concurrency=sum(slots_told) if all(slots_told) and slots_told else None,
        in_flight=count(total("llamacpp:requests_processing")),
        queue_depth=count(total("llamacpp:requests_deferred")),
        counters=None if counters == Counters() else counters,
    )


def _downloading(listed: object) -> frozenset[object]:
    """Return the ids of what a router still fetches: nobody can ask for it."""
    data = entries(field(listed, "data"))
    return frozenset(
        one_id
        for one in data
        if field(one, "status", "value") == "downloading"
        and isinstance(one_id := field(one, "id"), str)
    )


def _falling_asleep(listed: object) -> frozenset[object]:
    """Return the ids of what a router lets fall asleep when nobody asks for it."""
    found = set()
    for one in entries(field(listed, "data")):
        words = field(one, "status", "args")
        if isinstance(words, list) and isinstance(one_id := field(one, "id"), str):
            after = [word for flag, word in pairwise(words) if flag == "--sleep-idle-seconds"]
            if any(not str(word).startswith("-") for word in after):
                found.add(one_id)
    return frozenset(found)


def _version(props: object) -> str | None:
    return word(field(props, "build_info")) or None


def _described(model: Model, loaded: Loaded) -> Model:
    """Return `model` with what `/props` tells of it."""
    props = loaded.props
    context = count(field(props, "default_generation_settings", "n_ctx")) or 0
    told = {
        "vision": field(props, "modalities", "vision"),
        "audio": field(props, "modalities", "audio"),
        # Without it in the template, tools are silently answered with prose.
        "tools": field(props, "chat_template_caps", "supports_tools"),
    }
    return replace(
        model,
        loaded=None if loaded.silent else model.loaded,  # so that what is known of it stands
        context_tokens=model.context_tokens or context,
        format="gguf",
        capabilities=tuple(can for can, is_so in told.items() if is_so is True),
    )
