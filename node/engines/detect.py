"""Finding model servers, on the ports where they usually listen."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from node.engines import llamacpp, openai
from node.engines.sight import Sight

# Ollama, llama.cpp, vLLM, LM Studio.
USUAL_PORTS = (11434, 8080, 8000, 1234)


@dataclass(frozen=True, slots=True)
class Found:
    """A server that answered like a model server."""

    port: int
    url: str
    sight: Sight

    @property
    def name(self) -> str:
        """A name that stays the same however many servers are found, e.g. `llamacpp-8080`."""
        return f"{self.sight.engine}-{self.port}"


async def look(client: httpx.AsyncClient, url: str, engine: str | None, key: str = "") -> Sight:
    """Return what the server at `url` shows, asked as `engine`; None finds that out.

    key: the server's own, where it asks for one.
    """
    if engine == llamacpp.ENGINE:
        return await llamacpp.look(client, url, key)
    sight = await openai.look(client, url, key)
    if engine is None and sight.engine == llamacpp.ENGINE:
        return await llamacpp.look(client, url, key)
    return sight


async def detect(client: httpx.AsyncClient, ports: Iterable[int]) -> list[Found]:
    """Return the model servers on `ports` of this machine, in that order."""

    async def one(port: int) -> Found | None:
        url = f"http://127.0.0.1:{port}"
        sight = await look(client, url, None)
        # Something answered with a list of models, or is about to. A bare 404 is any web server.
        known = sight.engine is not None and (sight.models is not None or sight.health == "loading")
        return Found(port, url, sight) if known else None

    return [found for found in await asyncio.gather(*map(one, ports)) if found]
