"""speaches, and faster-whisper-server as it was called before: speech to text, and back.

Asked: `/v1/models` for what is on disk, `/api/ps` for what is in memory. It loads what it
is asked for. Models that speak are left out: no role asks for them.
"""

from dataclasses import replace

import httpx

from node.engines.http import beside
from node.engines.openai import listing
from node.engines.sight import Sight, entries, field

ENGINE = "speaches"
TRANSCRIBES = "automatic-speech-recognition"


async def look(client: httpx.AsyncClient, url: str, key: str = "") -> Sight:
    """Return what the server at `url` shows; never raises for what the server does.

    key: the server's own, where it asks for one.
    """
    listed = await listing(client, url, key, ENGINE)
    if isinstance(listed, Sight):
        return listed
    others = _others(listed.reply.content)
    in_memory = _in_memory((await beside(client, f"{url}/api/ps", key)).content)
    return Sight(
        "healthy",
        engine=ENGINE,
        models=tuple(
            replace(
                one,
                loaded=None if in_memory is None else one.asset_id in in_memory,
                operation="transcription",
                modality="audio",
            )
            for one in listed.models
            if one.asset_id not in others
        ),
        loads_on_request=True,
    )


def _others(listed: object) -> frozenset[str]:
    """Return the ids of what does something else; faster-whisper-server told no task."""
    return frozenset(
        one_id
        for one in entries(field(listed, "data"))
        if field(one, "task") not in (None, TRANSCRIBES)
        and isinstance(one_id := field(one, "id"), str)
    )


def _in_memory(running: object) -> frozenset[str] | None:
    """Return the names of `/api/ps`: strings, where Ollama has objects; None when not told."""
    if not isinstance(field(running, "models"), list):
        return None
    return frozenset(one for one in entries(field(running, "models")) if isinstance(one, str))
