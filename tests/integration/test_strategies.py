"""Strategies at dispatch, through real processes: who is asked, counted at the engines."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from gateway.control_link import LOAD_SECONDS
from tests.fakes.answers import Answer
from tests.fakes.engine import Engine, Request, openai
from tests.processes import START_SECONDS, Service, Spawn, spawning, wait_until

pytestmark = pytest.mark.anyio

ENGINES = 4
CLIENTS = 4
COUNTS = (2, 3, 4)  # services that a role means, told by a label that only they have
DISPATCHES = 240  # of each role; all services of it have the same share of that
SLOW_S = 0.001
CHAT, EMBEDDINGS = b"/v1/chat/completions", b"/v1/embeddings"
MODELS = {"chat": "small", "embeddings": "small-embedding"}
CATALOG = {
    "roles": [
        {
            "role_id": f"{operation}-{count}",
            "operation": operation,
            "routing_policy": {"strategy": "round_robin", "preferred_labels": [f"of-{count}"]},
        }
        for count in COUNTS
        for operation in MODELS
    ]
}


class Counted(Engine):
    """An engine that knows the most chats it ever had at once."""

    def __init__(self) -> None:
        self.pace = 0.0
        self.most = 0
        self._under_way: list[Request] = []
        super().__init__(self._answer)

    def _answer(self, request: Request) -> Answer:
        if request.method == "POST":
            self._under_way = [one for one in self._under_way if not one.answered.is_set()]
            self._under_way.append(request)
            self.most = max(self.most, len(self._under_way))
        return openai([*MODELS.values()], words=1, pace=self.pace)(request)


class Client:
    """One connection to a gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, path: bytes, **body: object) -> str:
        """Send a request, read the answer to its end, and return the service it is from."""
        content = json.dumps(body).encode()
        head = (
            b"POST %b HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n"
        )
        self._writer.write(head % (path, len(content)) + content)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        assert " 200 " in lines[0], lines[0]
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        if length := headers.get("content-length"):
            await self._reader.readexactly(int(length))
        else:
            await self._reader.readuntil(b"\r\n0\r\n\r\n")
        return headers["x-geniehive-service"]


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


@dataclass
class Fleet:
    """The engines, and the gateways before them."""

    engines: Sequence[Counted]
    gateways: Sequence[Service]
    with_workers: Service


def start(
    spawn: Spawn, folder: Path, engines: Sequence[Counted], gateways: Sequence[dict[str, object]]
) -> list[Service]:
    roles = folder / "roles.yaml"
    roles.write_text(yaml.safe_dump(CATALOG))
    storage = {"sqlite_path": str(folder / "geniehive.sqlite3")}
    control = spawn(
        "control", {"listen": "127.0.0.1:0", "storage": storage, "roles_path": str(roles)}
    )
    address = f"127.0.0.1:{control.port()}"
    services = [
        {
            "service_id": f"{operation}-{number}",
            "endpoint": engine.url,
            "kind": operation,
            "assets": [
                {
                    "asset_id": model,
                    "loaded": True,
                    "labels": [f"of-{count}" for count in COUNTS if number < count],
                }
            ],
        }
        for number, engine in enumerate(engines)
        for operation, model in MODELS.items()
    ]
    spawn("node", {"control": address, "node": {"host_id": "h"}, "services": services})
    running = [
        spawn("gateway", {"listen": "127.0.0.1:0", "control": address, **more}) for more in gateways
    ]
    for gateway in running:
        wait_until(lambda: _knows_all(gateway), START_SECONDS, "all services")  # noqa: B023
    return running


def _knows_all(gateway: Service) -> bool:
    url = f"http://127.0.0.1:{gateway.port()}/v1/models"
    found = httpx.get(url, trust_env=False)
    if not found.is_success:
        return False
    serving = {one["id"]: len(one["geniehive"]["services"]) for one in found.json()["data"]}
    return all(serving.get(model) == ENGINES for model in MODELS.values()) and all(
        f"{operation}-{count}" in serving for count in COUNTS for operation in MODELS
    )


@pytest.fixture(scope="module")
async def fleet(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Fleet]:
    """Four engines, two gateways of one worker and one of two."""
    folder = tmp_path_factory.mktemp("fleet")
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(Counted()) for _ in range(ENGINES)]
        spawned = spawning(folder)
        # What starts and stops processes waits; the engines answer in between.
        spawn = await asyncio.to_thread(spawned.__enter__)
        try:
            settings = ({}, {}, {"workers": 2})
            running = await asyncio.to_thread(start, spawn, folder, engines, settings)
            yield Fleet(engines, running[:2], running[2])
        finally:
            await asyncio.to_thread(spawned.__exit__, None, None, None)


async def dispatch(ports: Sequence[int], count: int) -> Counter[str]:
    """Ask the roles for `count` services, mixed; return how often each service answered."""
    answered: Counter[str] = Counter()

    async def some(number: int) -> None:
        async with client(ports[number % len(ports)]) as one:
            for turn in range(DISPATCHES // CLIENTS):
                # Chat whole and as a stream: one turn in all.
                messages = [{"role": "user", "content": "Say hello"}]
                answered[
                    await one.ask(
                        CHAT, model=f"chat-{count}", messages=messages, stream=turn % 2 == 0
                    )
                ] += 1
                answered[await one.ask(EMBEDDINGS, model=f"embeddings-{count}", input="hello")] += 1

    await asyncio.gather(*map(some, range(CLIENTS)))
    return answered


async def test_in_turn_means_as_often_and_look_ups_take_no_turn(fleet):
    """Over 2, 3 and 4 services, through one gateway and through two."""
    ports = [gateway.port() for gateway in fleet.gateways]
    async with httpx.AsyncClient(trust_env=False) as looking:
        for used in (ports[:1], ports):
            for count in COUNTS:
                answered = await dispatch(used, count)
                for operation in MODELS:
                    expected = [f"h/{operation}-{number}" for number in range(count)]
                    shares = [answered.pop(service) for service in expected]
                    assert sum(shares) == DISPATCHES
                    assert max(shares) / min(shares) <= 1.1
                assert not answered
                for path in ("models", f"models/chat-{count}"):
                    await looking.get(f"http://127.0.0.1:{ports[0]}/v1/{path}")


async def call_slowly(fleet: Fleet, gateways: Sequence[Service], calls: int) -> int:
    """Have as many calls under way as there are services, each over a connection of its own.

    Return the most that one service had at once.
    """
    # What other gateways had under way before was told to these meanwhile.
    await asyncio.sleep(4 * LOAD_SECONDS)
    ports = [gateway.port() for gateway in gateways]

    async def some(number: int) -> None:
        for _ in range(calls // CLIENTS):
            async with client(ports[number % len(ports)]) as one:
                await one.ask(CHAT, model="small", messages=[], stream=True)

    for engine in fleet.engines:
        engine.pace, engine.most = SLOW_S, 0
    await asyncio.gather(*map(some, range(CLIENTS)))
    for engine in fleet.engines:
        engine.pace = 0.0
    return max(engine.most for engine in fleet.engines)


async def test_workers_ask_no_service_twice_while_an_equal_one_idles(fleet):
    assert await call_slowly(fleet, [fleet.with_workers], 1_000) == 1


async def test_gateways_overshoot_by_one_request_each(fleet):
    """They hear of each other four times a second: until then each counts its own alone."""
    assert await call_slowly(fleet, fleet.gateways, 400) <= len(fleet.gateways)
