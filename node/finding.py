"""Finds the model servers of this machine where nobody says where they are."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import groupby
from urllib.parse import urlsplit

import httpx

from control.api.ports import join_address
from node.engines import detect
from node.engines.detect import Found
from node.listeners import Listener, listening

FIND_SECONDS = 10.0
CONNECT_SECONDS = 1.0  # to this very machine
MAX_FOUND = 64


class Finder:
    """Looks again and again, and tells of every server once.

    known: URLs that are served already. listening: where servers may be.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        known: Iterable[str] = (),
        listening: Callable[[], tuple[Listener, ...]] = listening,
    ) -> None:
        self._client = client
        self._listening = listening
        self._ports = {port for url in known if (port := urlsplit(url).port) is not None}

    async def find(self) -> list[Found]:
        """Return the servers that were not there before, one a port, within some seconds."""
        places = await asyncio.to_thread(self._listening)
        unknown = sorted((one for one in places if one.port not in self._ports), key=_port)
        ports = [list(several) for _, several in groupby(unknown, key=_port)]
        try:
            async with asyncio.timeout(FIND_SECONDS):
                answers = await asyncio.gather(*map(self._at, ports))
        except TimeoutError:
            return []  # whoever takes so long is asked again
        order = {one.port: place for place, one in reversed(list(enumerate(places)))}
        found = sorted((one for one in answers if one), key=lambda one: order[one.port])
        found = found[: MAX_FOUND - len(self._ports)] if len(self._ports) < MAX_FOUND else []
        self._ports |= {one.port for one in found}
        return found

    async def _at(self, places: list[Listener]) -> Found | None:
        """Return the server at the first of the places, which differ in their hosts."""
        for place in places:
            if await _accepts(place):
                url = f"http://{join_address(place.host, place.port)}"
                sight = await detect.look(self._client, url, None)
                if detect.serves(sight):
                    return Found(place.port, url, sight)
                return None  # at the other addresses it is most likely the same one
        return None


async def _accepts(place: Listener) -> bool:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(place.host, place.port)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


def _port(place: Listener) -> int:
    return place.port
