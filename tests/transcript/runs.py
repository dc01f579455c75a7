"""What is asked of the two, and who answered when."""

import asyncio
import time
from dataclasses import dataclass

import httpx

from control.api.strategies import Strategy
from tests.chaos.promise import quantile
from tests.processes import START_SECONDS
from tests.transcript.pair import FAST, HOSTS, Pair, role

QUESTION = [{"role": "user", "content": "Tell me a short story about a lighthouse."}]
TIMEOUT = httpx.Timeout(START_SECONDS)
# What is measured beside other tests may be far from true, and fades within a minute or two.
LEARNED_SECONDS = 100.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A streamed answer: who gave it, and after how many seconds it began and was complete."""

    service: str
    first_s: float
    whole_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """What a load came to under one strategy, in seconds."""

    strategy: str
    clients: int
    total_s: float
    first_p50_s: float
    first_p95_s: float
    by_fast: int  # requests that the fast one answered


async def one_by_one(
    pair: Pair, strategy: Strategy, requests: int, tokens: int
) -> tuple[Answer, ...]:
    """Send requests, each when the one before it is answered, while both are known.

    Raises:
        TimeoutError: the fast one does not remain the better one.
    """
    answers: list[Answer] = []
    async with _client(pair) as client, asyncio.timeout(3 * START_SECONDS):
        while len(answers) < requests:
            # On a busy machine the fast one may have become as slow as the other.
            if not await asyncio.to_thread(pair.is_known):
                await learn(pair, tokens)
                answers.clear()
            answers.append(await ask(client, role(strategy), tokens))
    return tuple(answers)


async def learn(pair: Pair, tokens: int) -> None:
    """Have both measured, until control takes the fast one for the better one.

    Raises:
        TimeoutError: it never does.
    """
    async with _client(pair) as client, asyncio.timeout(LEARNED_SECONDS):
        while not await asyncio.to_thread(pair.is_known):
            for service in HOSTS.values():
                await ask(client, service, tokens)
        await asyncio.to_thread(pair.settle)


async def at_once(pair: Pair, strategy: Strategy, requests: int, tokens: int) -> tuple[Answer, ...]:
    """Send requests together to idle servers; return the answers in the order of their ends."""
    await asyncio.to_thread(pair.settle)
    async with _client(pair) as client:
        asked = [ask(client, role(strategy), tokens) for _ in range(requests)]
        return tuple([await answer for answer in asyncio.as_completed(asked)])


async def load(pair: Pair, strategy: Strategy, requests: int, clients: int, tokens: int) -> Load:
    """Have so many clients send so many requests in all, each the next when it is answered."""
    await asyncio.to_thread(pair.settle)
    left = iter(range(requests))
    answers: list[Answer] = []

    async def work() -> None:
        for _ in left:
            answers.append(await ask(client, role(strategy), tokens))

    async with _client(pair) as client:
        begin = time.monotonic()
        await asyncio.gather(*(work() for _ in range(clients)))
        total_s = time.monotonic() - begin
    firsts = [one.first_s for one in answers]
    by_fast = sum(one.service == FAST for one in answers)
    return Load(
        strategy.value, clients, total_s, quantile(firsts, 0.5), quantile(firsts, 0.95), by_fast
    )


async def ask(client: httpx.AsyncClient, model: str, tokens: int) -> Answer:
    """Ask for exactly so many tokens, as a stream."""
    body = {
        "model": model,
        "messages": QUESTION,
        "stream": True,
        "max_tokens": tokens,
        "ignore_eos": True,  # each answer is as much work as any other
    }
    begin = time.monotonic()
    first = 0.0
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        answer.raise_for_status()
        async for _ in answer.aiter_bytes():
            first = first or time.monotonic() - begin
    return Answer(answer.headers["x-geniehive-service"], first, time.monotonic() - begin)


def _client(pair: Pair) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=pair.url, timeout=TIMEOUT, trust_env=False)
