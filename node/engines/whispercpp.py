"""whisper.cpp's server: one model, whose name it never tells.

Its assets are declared; it answers to any name. To serve what OpenAI's clients ask for
it is started with `--inference-path /v1/audio/transcriptions`. Asked: `/` and `/health`.
"""

import httpx

from node.engines.http import NoAnswer, Reply, beside, get
from node.engines.sight import Sight

ENGINE = "whispercpp"
TITLE = b"whisper.cpp"


async def look(client: httpx.AsyncClient, url: str, key: str = "") -> Sight:
    """Return what the server at `url` shows; never raises for what the server does.

    key: that of a proxy before it, as it asks for none itself.
    """
    try:
        page = await get(client, f"{url}/", key)
    except NoAnswer as error:
        return error.sight
    if page.status != 200:
        return Sight("unhealthy", f"answers {page.status} at /", ENGINE)
    # Old versions have none; one of these that answers has its model.
    health = await beside(client, f"{url}/health", key)
    if health.status == 503:
        return Sight("loading", "loading its model", ENGINE)
    # What is declared may be asked for, whatever the file says of what is in memory.
    return Sight("healthy", engine=ENGINE, loads_on_request=True)


def is_page(reply: Reply) -> bool:
    """Return whether the answer to `GET /` is the page of this server."""
    return reply.status == 200 and TITLE in reply.body.lower()
