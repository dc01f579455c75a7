"""Ollama: `/api/tags` lists what is on disk, `/api/ps` what is in memory.

`/api/show` is not asked: it would be one question a model, and what it tells beside
`/api/tags` matters to servers alone that are too old to tell there what a model can do.
"""

import asyncio
import os
from urllib.parse import urlsplit

import httpx

from control.api.names import untagged
from control.api.ports import is_loopback, join_address
from node.engines.http import NoAnswer, beside, get, refusal
from node.engines.sight import (
    Model,
    Operation,
    Sight,
    count,
    entries,
    field,
    name,
    size,
    slots,
    word,
    words,
)

ENGINE = "ollama"
GREETING = b"Ollama is running"  # at `/`; others answer Ollama's paths, too


async def look(client: httpx.AsyncClient, url: str, key: str = "") -> Sight:
    """Return what the server at `url` shows; never raises for what the server does.

    key: the server's own, or that of a proxy before it.
    """
    try:
        tags = await get(client, f"{url}/api/tags", key)
    except NoAnswer as error:
        return error.sight
    if tags.status in (401, 403, 404):
        return Sight("unhealthy", refusal(tags.status, key, "/api/tags"), ENGINE)
    version, running = await asyncio.gather(
        beside(client, f"{url}/api/version", key), beside(client, f"{url}/api/ps", key)
    )
    told = word(field(version.content, "version")) or None
    if tags.status != 200:
        # One broken manifest costs the list, and the models that were known still answer.
        detail = f"answers {tags.status} at /api/tags"
        return Sight("unhealthy" if told is None else "healthy", detail, ENGINE, version=told)
    loaded = _by_name(running.content)
    found = models(tags.content, loaded)
    if found is None:
        detail = "answers 200 and no list at /api/tags"
        return Sight("unhealthy", detail, ENGINE)
    return Sight(
        "healthy",
        engine=ENGINE,
        models=found,
        concurrency=_concurrency(url),
        loads_on_request=True,
        version=told,
        vram_used_bytes=None if loaded is None else _vram(loaded),
    )


def models(listed: object, loaded: dict[str, object] | None) -> tuple[Model, ...] | None:
    """Return what `/api/tags` lists, without `:latest`; None when it is no list.

    loaded: what is in memory, by name likewise; None when that is not known.

    Left out is what another machine answers for this one (`remote_host`), since who asks
    here expects their words to stay, and what neither chats nor embeds.
    """
    if not isinstance(field(listed, "models"), list):
        return None
    found: dict[str, Model] = {}
    for entry in entries(field(listed, "models")):
        full = name(field(entry, "model")) or name(field(entry, "name"))
        if full is None or field(entry, "remote_host") or field(entry, "remote_model"):
            continue
        capabilities = words(field(entry, "capabilities"))
        families = words(field(entry, "details", "families"))
        family = word(field(entry, "details", "family"))
        operation = _operation(full, (family, *families), capabilities)
        if operation is None:
            continue
        asset_id = untagged(full)
        now = None if loaded is None else loaded.get(asset_id)
        model = Model(
            asset_id,
            None if loaded is None else asset_id in loaded,
            count(field(now, "context_length")) or 0,
            operation,
            family,
            word(field(entry, "digest")),
            format=word(field(entry, "details", "format")),
            capabilities=capabilities,
            size_bytes=size(field(entry, "size")),
        )
        found.setdefault(asset_id, model)
    return tuple(found.values())


def _operation(
    full: str, families: tuple[str, ...], capabilities: tuple[str, ...]
) -> Operation | None:
    """Return what a model is for, by its own word, else by its family and name."""
    if "completion" in capabilities:
        return "chat"
    if "embedding" in capabilities:
        return "embeddings"
    if capabilities:
        return None  # it draws, or speaks
    embeds = "embed" in full.lower() or any("bert" in family.lower() for family in families)
    return "embeddings" if embeds else "chat"


def _by_name(running: object) -> dict[str, object] | None:
    """Return the entries of `/api/ps` by name without `:latest`; None when it is no such list."""
    if not isinstance(field(running, "models"), list):
        return None
    listed = entries(field(running, "models"))
    named = ((name(field(one, "model")) or name(field(one, "name")), one) for one in listed)
    return {untagged(full): one for full, one in named if full is not None}


def _vram(loaded: dict[str, object]) -> int:
    return size(sum(size(field(one, "size_vram")) for one in loaded.values()))


def _concurrency(url: str) -> int | None:
    """Ollama does not tell; on this machine it may have been started with what we were."""
    told = os.environ.get("OLLAMA_NUM_PARALLEL", "")
    if not told.isdecimal() or not is_loopback(join_address(urlsplit(url).hostname or "", 1)):
        return None
    return slots(int(told[:10])) or None
