"""A small cluster under load whose services are drained, and whose nodes are stopped."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import httpx
from geniehive.v1 import admin_service_pb2 as pb
from geniehive.v1 import admin_service_pb2_grpc as pb_grpc

from tests.fakes.engine import Engine, openai

CHAT = "/v1/chat/completions"
SECONDS = 30.0
STILL_S = 0.3  # without a new request: none comes


@asynccontextmanager
async def engines(
    *, count: int = 2, words: int = 8, pace: float = 0.02
) -> AsyncIterator[list[Engine]]:
    """Run engines that serve `small`, here, so that a test sees what reaches them."""
    running = [Engine(openai(["small"], words=words, pace=pace)) for _ in range(count)]
    for engine in running:
        await engine.start()
    try:
        yield running
    finally:
        for engine in running:
            await engine.stop()


@dataclass(slots=True)
class Load:
    """Clients that stream from `small`, one answer after the other; `ended` counts how."""

    url: str
    clients: int
    ended: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep it up; what is under way at the end is waited for."""
        over = asyncio.Event()
        limits = httpx.Limits(max_connections=self.clients)
        async with (
            httpx.AsyncClient(
                base_url=self.url, trust_env=False, timeout=SECONDS, limits=limits
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(self.clients):
                group.create_task(self._keep_asking(client, over))
            try:
                yield
            finally:
                over.set()

    async def _keep_asking(self, client: httpx.AsyncClient, over: asyncio.Event) -> None:
        while not over.is_set():
            self.ended[await stream(client)] += 1

    @property
    def failed(self) -> int:
        """How many did not get a whole answer."""
        return self.ended.total() - self.ended["whole"]


async def stream(client: httpx.AsyncClient, model: str = "small") -> str:
    """Follow one answer to its end; return `whole`, or what was wrong."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    try:
        async with client.stream("POST", CHAT, json=body) as answer:
            text = await answer.aread()
    except httpx.HTTPError as error:
        return type(error).__name__
    if not answer.is_success:
        return str(answer.status_code)
    return "whole" if text.rstrip().endswith(b"data: [DONE]") else "cut"


def chats(engine: Engine) -> list[float]:
    """Return when chats reached an engine, monotonic seconds."""
    return [one.arrived_at for one in engine.requests if one.target == CHAT]


class Administrator:
    """Drains and undrains, and sees what comes all the same."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = pb_grpc.AdminServiceStub(channel)

    async def drain(self, name: str) -> pb.DrainServicesResponse:
        answer: pb.DrainServicesResponse = await self._stub.DrainServices(
            pb.DrainServicesRequest(name=name), timeout=SECONDS
        )
        return answer

    async def undrain(self, name: str) -> pb.UndrainServicesResponse:
        answer: pb.UndrainServicesResponse = await self._stub.UndrainServices(
            pb.UndrainServicesRequest(name=name), timeout=SECONDS
        )
        return answer

    async def last_after_drain(self, name: str, engine: Engine) -> float:
        """Drain; return how long after the answer the last new request came, 0 for none."""
        await self.drain(name)
        answered = time.monotonic()
        last = answered
        while time.monotonic() - max(last, answered) < STILL_S:
            await asyncio.sleep(STILL_S / 10)
            last = max([answered, *chats(engine)[-1:]])
        return last - answered


async def until(fact, what: str, seconds: float = SECONDS) -> None:
    """Wait for a fact of other processes, which send no events."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        await asyncio.sleep(0.02)
