"""Finding model servers, on the ports where they usually listen."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

import httpx

from node.engines import (
    llamacpp,
    llamaswap,
    lmstudio,
    ollama,
    openai,
    sglang,
    speaches,
    vllm,
    whispercpp,
)
from node.engines.fingerprint import fingerprint
from node.engines.http import ANSWER_SECONDS, NoAnswer
from node.engines.sight import Sight

Look = Callable[[httpx.AsyncClient, str, str], Awaitable[Sight]]

LOOKS: dict[str, Look] = {
    one.ENGINE: one.look
    for one in (
        llamacpp,
        llamaswap,
        lmstudio,
        ollama,
        openai,
        sglang,
        speaches,
        vllm,
        whispercpp,
    )
}

_SLOW = Sight("unhealthy", f"sends no full answer within {ANSWER_SECONDS:g} s", silent=True)


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

    It never raises for what the server does, and takes twice `ANSWER_SECONDS` at most.
    """
    if engine is None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                engine = await fingerprint(client, url, key)
        except NoAnswer as error:
            return error.sight
        except TimeoutError:
            return _SLOW
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            if engine is None:
                return replace(await openai.look(client, url, key), engine=None)
            return await LOOKS[engine](client, url, key)
    except TimeoutError:
        return _SLOW


def serves(sight: Sight) -> bool:
    """Return whether what was looked at is a model server."""
    # Something answered with a list of models, is about to, or is known to have none. A
    # bare 404 is any web server.
    return sight.engine is not None and (
        sight.models is not None
        or sight.health == "loading"
        or (sight.health == "healthy" and sight.engine != openai.ENGINE)
    )


async def detect(client: httpx.AsyncClient, ports: Iterable[int]) -> list[Found]:
    """Return the model servers on `ports` of this machine, in that order."""

    async def one(port: int) -> Found | None:
        url = f"http://127.0.0.1:{port}"
        sight = await look(client, url, None)
        return Found(port, url, sight) if serves(sight) else None

    return [found for found in await asyncio.gather(*map(one, ports)) if found]
