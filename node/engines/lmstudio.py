"""LM Studio: `/v1/models` lists what may be asked for, `/api/v1/models` the facts.

Where the latter is not there (before 0.4), `/api/v0/models` tells them. LM Studio answers
200 to paths that it does not know, so that only the shape of an answer counts.
"""

import httpx

from node.engines.http import beside
from node.engines.openai import listing
from node.engines.sight import (
    Model,
    Operation,
    Sight,
    count,
    entries,
    field,
    name,
    size,
    word,
    words,
)

ENGINE = "lmstudio"
OPERATIONS: dict[object, Operation] = {
    "llm": "chat",
    "vlm": "chat",
    "embedding": "embeddings",
    "embeddings": "embeddings",
}
CAPABILITIES = {"vision": "vision", "trained_for_tool_use": "tools"}


async def look(client: httpx.AsyncClient, url: str, key: str = "") -> Sight:
    """Return what the server at `url` shows; never raises for what the server does.

    key: the server's own, where it asks for one.
    """
    listed = await listing(client, url, key, ENGINE)
    if isinstance(listed, Sight):
        return listed
    facts = by_key((await beside(client, f"{url}/api/v1/models", key)).content)
    if facts is None:
        facts = by_id((await beside(client, f"{url}/api/v0/models", key)).content)
    # An instance may have a name of its own; asked for by that, it is found as well.
    found = tuple(
        (facts or {}).get(one.asset_id, Model(one.asset_id, None)) for one in listed.models
    )
    cold = any(one.loaded is False for one in found)
    return Sight(
        "healthy",
        engine=ENGINE,
        models=found,
        # Without loading on request it lists what is in memory alone.
        loads_on_request=True if cold else None,
    )


def by_key(content: object) -> dict[str, Model] | None:
    """Return the models of `/api/v1/models` by key, and by the names of their instances."""
    if not isinstance(field(content, "models"), list):
        return None
    found: dict[str, Model] = {}
    for entry in entries(field(content, "models")):
        key = name(field(entry, "key"))
        if key is None:
            continue
        instances = entries(field(entry, "loaded_instances"))
        contexts = [count(field(one, "config", "context_length")) for one in instances]
        told = field(entry, "capabilities")
        for one in (key, *(name(field(instance, "id")) for instance in instances)):
            if one is not None:
                model = Model(
                    one,
                    bool(instances),
                    # Of what is not loaded only the most is told that it could have.
                    next((one for one in contexts if one), 0),
                    OPERATIONS.get(word(field(entry, "type"))),
                    word(field(entry, "architecture")),
                    format=word(field(entry, "format")),
                    capabilities=tuple(
                        ours for theirs, ours in CAPABILITIES.items() if field(told, theirs) is True
                    ),
                    size_bytes=size(field(entry, "size_bytes")),
                )
                found.setdefault(one, model)
    return found


def by_id(content: object) -> dict[str, Model] | None:
    """Return the models of `/api/v0/models` by id."""
    listed = field(content, "data")
    if not isinstance(listed, list):
        return None
    # Some servers answer with their list under every path; only LM Studio tells states in it.
    if listed and not any(field(entry, "state") for entry in entries(listed)):
        return None
    found: dict[str, Model] = {}
    for entry in entries(listed):
        asset_id = name(field(entry, "id"))
        if asset_id is None:
            continue
        kind = word(field(entry, "type"))
        told = words(field(entry, "capabilities"))
        loaded = field(entry, "state") == "loaded"
        context = field(entry, "loaded_context_length") or field(entry, "max_context_length")
        model = Model(
            asset_id,
            loaded,
            (count(context) or 0) if loaded else 0,
            OPERATIONS.get(kind),
            word(field(entry, "arch")),
            format=word(field(entry, "compatibility_type")),
            capabilities=tuple(
                ours
                for ours, has in (("vision", kind == "vlm"), ("tools", "tool_use" in told))
                if has
            ),
        )
        found.setdefault(asset_id, model)
    return found
