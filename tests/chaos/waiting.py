"""Engines with few slots, and what a gateway says of the requests that wait for them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from tests.chaos.calls import service
from tests.chaos.world import serving
from tests.fakes import answers
from tests.fakes.answers import Answer, Pause
from tests.integration.gateway.front import ROOM, front, request
from tests.series import series

MODEL = "m"
BODY = request(b'{"model":"m","messages":[]}')
WAIT, IN_FLIGHT = "waiting_requests", "in_flight_requests,"
LOOK_S = 0.002  # between two looks at what a gateway says


def slotted(
    name: str, engine: str, slots: int, models: Sequence[str] = (MODEL,)
) -> inventory.Service:
    """Return a service at `engine`, host:port, that serves so many requests at a time."""
    found = service(name, engine, models)
    found.concurrency = slots
    return found


def slowly(seconds: float) -> Answer:
    """Return an answer that takes so long."""
    return [Pause(seconds), *answers.document({"object": "chat.completion", "choices": []})]


@asynccontextmanager
async def gateway_before(
    folder: Path, services: Sequence[inventory.Service], *, apart: bool, **settings: Any
) -> AsyncIterator[int]:
    """Run a gateway whose requests wait for these services; yields its port.

    apart: as a process of its own beside one of control, else in this one.
    """
    if apart:
        with serving(folder, services, **settings) as here:
            yield here.port
        return
    async with front("protocol", **settings) as here_too:
        here_too.route(list(_resources(services)))
        yield here_too.port


def _resources(services: Sequence[inventory.Service]) -> Iterator[pb.Resource]:
    """Return what control makes of services that all have `MODEL`."""
    yield pb.Resource(name="room", room=ROOM)
    chat, name = inventory.OPERATION_CHAT, MODEL
    target = pb.Target(name=name, operation=chat)
    for one in services:
        target.candidates.add(service_id=one.service_id, asset_id=name, score=1)
        told = pb.RouteService(
            service_id=one.service_id,
            host_id="h",
            endpoint=one.endpoint,
            concurrency=one.concurrency,
        )
        yield pb.Resource(name=f"service/{one.service_id}", service=told)
    yield pb.Resource(name=f"target/chat/{name}", target=target)


class Gauges:
    """What a gateway says of itself, asked over one connection."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def waiting(self) -> int:
        """Return how many requests wait."""
        return int((await self._told()).get(WAIT, 0))

    async def under_way(self) -> int:
        """Return how many requests wait, or are at a service."""
        told = await self._told()
        return int(sum(n for name, n in told.items() if name.startswith((WAIT, IN_FLIGHT))))

    async def until_waiting(self, count: int, seconds: float) -> None:
        """Wait until so many wait."""
        async with asyncio.timeout(seconds):
            while await self.waiting() != count:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(LOOK_S)

    async def until_idle(self, seconds: float) -> float:
        """Wait until nothing is under way; return how long that took."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        async with asyncio.timeout(seconds):
            while await self.under_way():  # noqa: ASYNC110  # as above
                await asyncio.sleep(LOOK_S)
        return loop.time() - begin

    async def _told(self) -> dict[str, float]:
        return series((await self._client.get("/metrics")).text)


@asynccontextmanager
async def gauges(port: int) -> AsyncIterator[Gauges]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield Gauges(client)


async def asked(port: int, model: str = MODEL, patience: float = 60.0) -> tuple[int, str]:
    """Ask over a connection of its own; return the status, 0 when it was lost, and who answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request(b'{"model":"%b","messages":[]}' % model.encode()))
        async with asyncio.timeout(patience):
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines if line)
            await reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), headers.get("x-geniehive-service", "")
    except (OSError, EOFError):
        return 0, ""
    finally:
        writer.close()
