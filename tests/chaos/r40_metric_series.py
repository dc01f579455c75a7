"""R40: what clients make up does not become series of metrics."""

import asyncio
import random
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.promise import Figure, Promise, all_of, none, told
from tests.chaos.world import served
from tests.fakes.engine import Engine, openai

CHAT = "/v1/chat/completions"
AT_ONCE = 16
MOST_ADDED = 10
MOST_BYTES = 1_000_000

Series = set[tuple[str, tuple[tuple[str, str], ...]]]


def run(folder: Path, *, requests: int) -> list[Figure]:
    """Ask `requests` times for a model, a path or a key that nobody gave a name to."""
    return asyncio.run(_run(folder, requests))


async def _run(folder: Path, requests: int) -> list[Figure]:
    async with Engine(openai(["small"])) as engine:
        with served(folder, {"small": engine.address}) as here:
            url = f"http://127.0.0.1:{here.port}"
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
                await http.post(CHAT, json={"model": "small", "messages": []})
                before, _ = await _scrape(http)
                refused = await _ask(http, requests)
                after, size = await _scrape(http)
    names = [value for _, labels in after for _, value in labels]
    return [
        told("requests with a model, a path or a key that was made up", requests),
        all_of("answered as wrong, or as what is served", refused, requests),
        Figure("series of metrics added", len(after - before), at_most=MOST_ADDED),
        none("labels that hold what was made up", sum("junk" in name for name in names)),
        Figure("size of a scrape", size, "bytes", at_most=MOST_BYTES),
    ]


async def _ask(http: httpx.AsyncClient, requests: int) -> int:
    """Return how many of the requests were answered as they should be."""
    chance = random.Random(40)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> bool:
        junk = f"junk-{number}-{chance.getrandbits(64):x}"
        async with slots:
            if number % 3 == 0:
                answer = await http.post(CHAT, json={"model": junk, "messages": []})
                return answer.status_code == httpx.codes.NOT_FOUND
            if number % 3 == 1:
                return (await http.get(f"/{junk}")).status_code == httpx.codes.NOT_FOUND
            headers = {"authorization": f"Bearer {junk}", "x-request-id": junk}
            # Where no keys are set, any will do.
            answer = await http.post(
                CHAT, headers=headers, json={"model": "small", "user": junk, "messages": []}
            )
            return answer.status_code == httpx.codes.OK

    return sum(await asyncio.gather(*map(one, range(requests))))


async def _scrape(http: httpx.AsyncClient) -> tuple[Series, int]:
    """Return all series, and the bytes that they came in."""
    answer = (await http.get("/metrics")).raise_for_status()
    found = {
        (one.name, tuple(sorted(one.labels.items())))
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    }
    return found, len(answer.content)


PROMISE = Promise(run, short={"requests": 600}, full={"requests": 10_000})
