"""R8: what clients do wrong, and engines that are busy, take no engine out of rotation."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx

from tests.chaos.promise import Figure, Promise, all_of, none, told
from tests.fakes import answers
from tests.fakes.answers import Answer
from tests.fakes.engine import Engine, Request
from tests.integration.gateway.front import CHAT, Front, front

AT_ONCE = 16
PATIENCE_S = 30.0
OK = 200

BUSY = [("Retry-After", "1"), ("Content-Type", "text/plain")]
ENGINES: dict[str, Answer] = {
    "400": answers.failure(400, "no"),
    "404": answers.failure(404, "no"),
    "413": answers.failure(413, "no"),
    "422": answers.failure(422, "no"),
    "429": answers.whole(b"busy", 429, BUSY),
    "503": answers.whole(b"busy", 503, BUSY),
    "ok": answers.document(answers.completion("fine", "small")),
}
# What a client is told: an answer passes, and an engine that is busy is one that is busy.
TOLD = {"400": 400, "404": 404, "413": 413, "422": 422, "429": 429, "503": 429}


def run(folder: Path, *, each: int, after: int) -> list[Figure]:
    """Get each kind of refusal `each` times, then `after` answers, from three engines."""
    return asyncio.run(_measure(each, after))


def _script(asked: Request) -> Answer:
    return ENGINES[asked.json()["say"]]


async def _measure(each: int, after: int) -> list[Figure]:
    figures = []
    async with (
        Engine(_script) as one,
        Engine(_script) as two,
        Engine(_script) as three,
        front("protocol") as gateway,
    ):
        gateway.offer(one.address, two.address, three.address)
        for kind, status in TOLD.items():
            out: set[str] = set()
            refused = await _ask(gateway, kind, each, out)
            answered = await _ask(gateway, "ok", after, out)
            what = f"{kind} of an engine"
            figures += [
                all_of(f"{what}: told as {status}", refused[status], each),
                none(f"{what}: services out of rotation", len(out)),
                all_of(f"{what}: answers to the next that are good", answered[OK], after),
            ]
        asked = len(one.requests) + len(two.requests) + len(three.requests)
    return [told("requests that reached engines", asked), *figures]


async def _ask(gateway: Front, kind: str, times: int, out: set[str]) -> Counter[int]:
    """Return how often each status came; note services that are out of rotation meanwhile."""
    statuses: Counter[int] = Counter()
    slots = asyncio.Semaphore(AT_ONCE)
    upstreams = gateway.gateway.routes.upstreams

    async def one(client: httpx.AsyncClient) -> None:
        async with slots:
            answer = await client.post(CHAT, json={"model": "small", "say": kind})
            statuses[answer.status_code] += 1
            now = gateway.gateway.clock()
            out.update(name for name, one in upstreams.items() if one.breaker.ejection(now))

    async with httpx.AsyncClient(
        base_url=gateway.url, trust_env=False, timeout=PATIENCE_S
    ) as client:
        await asyncio.gather(*(one(client) for _ in range(times)))
    return statuses


PROMISE = Promise(run, short={"each": 40, "after": 20}, full={"each": 1_000, "after": 500})
