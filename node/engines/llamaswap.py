"""llama-swap: `/v1/models` lists what it can start, `/running` what runs.

Never `/unload`, which unloads everything on a GET, and never `/upstream/MODEL`, which
starts that model.
"""

from dataclasses import replace

import httpx

from node.engines.http import beside
from node.engines.openai import listing
from node.engines.sight import Model, Sight, entries, field, name

ENGINE = "llama-swap"


async def look(client: httpx.AsyncClient, url: str, key: str = "") -> Sight:
    """Return what the server at `url` shows; never raises for what the server does.

    key: the server's own, where it asks for one.
    """
    listed = await listing(client, url, key, ENGINE)
    if isinstance(listed, Sight):
        return listed
    ready = ready_models((await beside(client, f"{url}/running", key)).content)
    return Sight(
        "healthy",
        engine=ENGINE,
        models=tuple(replace(one, loaded=_is_loaded(one, ready)) for one in listed.models),
        loads_on_request=True,
    )


def _is_loaded(model: Model, ready: frozenset[str] | None) -> bool | None:
    """The list knows of aliases, and in older versions of nothing that is loaded."""
    if model.loaded:
        return True
    return None if ready is None else model.asset_id in ready


def ready_models(content: object) -> frozenset[str] | None:
    """Return which models answer at once, by `/running`; None when that is no such list."""
    if not isinstance(field(content, "running"), list):
        return None
    running = entries(field(content, "running"))
    ready = (name(field(one, "model")) for one in running if field(one, "state") == "ready")
    return frozenset(one for one in ready if one is not None)
