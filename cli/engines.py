"""What a person is told of the model servers of this machine when something starts."""

from collections.abc import Iterable

import httpx

from cli.text import plural
from control.api.ports import is_loopback
from node.engines import detect
from node.engines.sight import Sight
from node.finding import Finder

FIRST_MODEL = {"ollama": ": ollama pull qwen3:8b"}  # how an engine gets one


async def given(client: httpx.AsyncClient, urls: Iterable[str], key: str) -> list[str]:
    """Return one line about each server that was named. key: what they ask for."""
    return [told(url, await detect.look(client, url, None, key)) for url in urls]


async def here(client: httpx.AsyncClient, *, relayed: bool = False) -> list[str]:
    """Return one line about each server that is found here.

    relayed: others reach those on loopback through this node.
    """
    found = await Finder(client).find()
    return [told(one.url, one.sight, relayed=relayed) for one in found]


def told(url: str, sight: Sight, *, relayed: bool = False) -> str:
    """Return e.g. `ollama 0.14.2 127.0.0.1:11434, 7 models, 1 loaded`."""
    place = url.partition("://")[2]
    name = " ".join(filter(None, [sight.engine, sight.version, place]))
    if relayed and is_loopback(place.partition("/")[0]):
        name += " (loopback only: relayed by this node)"
    if sight.models is None:
        return f"{name}, {sight.detail or sight.health}"
    if not sight.models:
        return f"{name} has no models yet{FIRST_MODEL.get(sight.engine or '', '')}"
    loaded = sum(model.loaded is True for model in sight.models)
    return f"{name}, {plural(len(sight.models), 'model')}, {loaded} loaded"
