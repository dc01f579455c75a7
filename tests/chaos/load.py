"""Requests at a fixed rate, however long answers take: a stall is seen by all that it hits."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.chaos.promise import quantile

PATIENCE_S = 10.0
WARM_S = 1.0  # the first requests find nothing warm
CLIENT_KEY = "a-clients-key"
WITH_KEY = {"Authorization": f"Bearer {CLIENT_KEY}"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One request; its latency counts from the moment when it was due."""

    due: float  # seconds of the loop's clock
    seconds: float
    problem: str  # empty when the answer was whole and right
    begun: bool = False  # a stream of which the client got something
    service: str = ""  # that answered


@dataclass(slots=True)
class OpenLoad:
    """Sends `rate` requests a second to a gateway, every second one for a stream."""

    url: str
    models: Sequence[str]
    rate: float
    samples: list[Sample] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(bool(one.problem) for one in self.samples)

    @property
    def problems(self) -> Counter[str]:
        return Counter(one.problem for one in self.samples if one.problem)

    def p99(self, since: float, until: float) -> float:
        """Return the latency of requests that were due in this time, in seconds."""
        return quantile([one.seconds for one in self.samples if since <= one.due < until], 0.99)

    async def run(self) -> None:
        """Send until cancelled; what is under way then is waited for."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
        client = httpx.AsyncClient(
            base_url=self.url,
            headers=WITH_KEY,
            trust_env=False,
            timeout=PATIENCE_S,
            limits=limits,
        )
        async with client, asyncio.TaskGroup() as group:
            number = 0
            try:
                while True:
                    due = begin + number / self.rate
                    await asyncio.sleep(max(0.0, due - loop.time()))
                    group.create_task(self._ask(client, number, due))
                    number += 1
            except asyncio.CancelledError:
                pass

    async def _ask(self, client: httpx.AsyncClient, number: int, due: float) -> None:
        stream = number % 2 == 1
        body = {
            "model": self.models[number % len(self.models)],
            "messages": [{"role": "user", "content": "hello"}],
            "stream": stream,
        }
        begun, service = False, ""
        try:
            answer = await client.post("/v1/chat/completions", json=body)
        except httpx.HTTPError as error:
            problem = type(error).__name__
        else:
            end = "data: [DONE]\n\n" if stream else "}"
            whole = answer.is_success and answer.text.endswith(end)
            problem = "" if whole else f"{answer.status_code} {answer.text[-200:]}"
            begun = stream and answer.is_success
            service = answer.headers.get("x-geniehive-service", "")
        took = asyncio.get_running_loop().time() - due
        self.samples.append(Sample(due, took, problem, begun, service))


@asynccontextmanager
async def loading(*loads: OpenLoad) -> AsyncIterator[None]:
    """Send from a second before the block until its end."""
    running = [asyncio.create_task(load.run()) for load in loads]
    try:
        await asyncio.sleep(WARM_S)
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
