"""Finds out what a server is, by questions that do nothing to any known one.

`/v1/models` first; most say there whose models these are. Only when that leaves a doubt,
what tells the candidates apart is asked. Never asked of a server that is not known:
`/health` (SGLang may generate), `/slots` (llama.cpp wakes up), `/unload` (llama-swap unloads).
"""

import asyncio
from collections.abc import Callable

import httpx

from node.engines import llamacpp, llamaswap, lmstudio, ollama, openai, speaches, whispercpp
from node.engines.http import Reply, beside, get
from node.engines.sight import entries, field

Tells = Callable[[Reply], bool]


async def fingerprint(client: httpx.AsyncClient, url: str, key: str = "") -> str | None:
    """Return the engine that answers at `url`; `openai` when it is none of those known.

    None: it left questions without answer, and may be any of those.

    key: the server's own, where it asks for one.

    Raises:
        NoAnswer: it cannot be asked.
    """
    listed = await get(client, f"{url}/v1/models", key)
    if listed.status == 503 and openai.is_loading(listed.body):
        return llamacpp.ENGINE
    if listed.status == 404:
        page = await beside(client, url + "/", key)
        return whispercpp.ENGINE if whispercpp.is_page(page) else openai.ENGINE
    if openai.models(listed.content) is None:
        return openai.ENGINE
    if (known := openai.sure(openai.owned_by(listed.content))) is not None:
        return known
    if any(field(one, "task") for one in entries(field(listed.content, "data"))):
        return speaches.ENGINE  # the only one to say what a model is for
    return await _apart(client, url, key)


async def _apart(client: httpx.AsyncClient, url: str, key: str) -> str | None:
    """Return which of those that do not say it in their list the server is.

    These are Ollama, whose models belong to whoever made them, LM Studio, speaches, and
    every server that has nothing to list yet.
    """
    candidates: dict[str, tuple[str, Tells]] = {
        ollama.ENGINE: ("/", lambda reply: ollama.GREETING in reply.body),
        lmstudio.ENGINE: (
            "/api/v1/models",
            lambda reply: lmstudio.by_key(reply.content) is not None,
        ),
        "lmstudio-v0": ("/api/v0/models", lambda reply: lmstudio.by_id(reply.content) is not None),
        speaches.ENGINE: ("/api/ps", _is_speaches),
        llamaswap.ENGINE: (
            "/running",
            lambda reply: llamaswap.ready_models(reply.content) is not None,
        ),
        llamacpp.ENGINE: (
            "/props",
            lambda reply: field(reply.content, "default_generation_settings") is not None,
        ),
    }
    paths = [path for path, _ in candidates.values()]
    replies = await asyncio.gather(*(beside(client, url + path, key) for path in paths))
    for (engine, (_, tells)), reply in zip(candidates.items(), replies, strict=True):
        if reply.status == 200 and tells(reply):
            return engine.removesuffix("-v0")
        await asyncio.sleep(0)  # each may be long to read, and others wait for the event loop
    return openai.ENGINE if all(reply.status for reply in replies) else None


def _is_speaches(reply: Reply) -> bool:
    """Speaches names what is in memory by strings, Ollama under the same path by objects."""
    found = field(reply.content, "models")
    return isinstance(found, list) and all(isinstance(one, str) for one in found)
