"""R11: whatever happens to requests, every counter of what is in flight returns to zero."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx

from gateway.breaker import State
from gateway.gateway import Gateway
from tests.chaos.failpoints import failing
from tests.chaos.promise import Figure, Promise, none, seconds, told
from tests.fakes import answers
from tests.fakes.answers import Answer, Close, Hang, Pause, Reset
from tests.fakes.engine import Engine, Request
from tests.integration.gateway.front import CHAT, Front, front

AT_ONCE = 64
SLOTS = 8  # of each engine, so that most requests wait before they are sent
GOAL_S = 2.0
PATIENCE_S = 20.0
CLIENT_S = 10.0  # that a client waits for a word
CHECK_S = 1.0
# Short, so that engines that say nothing are given up while the run lasts.
TIMEOUTS = {"connect": 1.0, "first_byte": 0.3, "first_event": 0.3, "idle": 0.3}
# Short, too, so that services are often tried while they are out.
EJECTION = {"pause": 0.1, "slow_start": 0.1}
LIMITS = {"requests_per_key": 1_000}
KEYS = ("one", "other")
FAULTS = 0.005  # of the calls of each function that can be made to fail

STREAM = answers.events(
    [answers.data({"n": n}) for n in range(8)] + [answers.data("[DONE]")], 0.002
)
WHOLE = answers.document({"object": "chat.completion", "choices": []})

ENGINES: dict[str, Callable[[random.Random], Answer]] = {
    "answers": lambda draw: WHOLE,
    "streams": lambda draw: STREAM,
    "fails": lambda draw: answers.failure(500, "it broke"),
    "is busy": lambda draw: answers.failure(503, "not now"),
    "says nonsense": lambda draw: [answers.Send(b"\x00\xff nonsense\r\n\r\n")],
    "says nothing": lambda draw: [Hang()],
    "stops in between": lambda draw: answers.cut(STREAM, draw.randrange(1, 400), Hang()),
    "closes": lambda draw: answers.cut(STREAM, draw.randrange(400), Close()),
    "resets": lambda draw: answers.cut(STREAM, draw.randrange(400), Reset()),
    "is slow": lambda draw: [Pause(draw.random() * 0.05), *WHOLE],
}


def run(folder: Path, *, requests: int, seed: int = 11) -> list[Figure]:
    """Send `requests` to engines that fail in every way, for clients that leave at any time.

    Meanwhile what the gateway is made of fails, too, now and then.
    """
    draw = random.Random(seed)
    with failing(FAULTS, draw) as faults:
        figures = asyncio.run(_measure(requests, draw))
    return [
        *figures,
        told("functions of the gateway that raised at random", len(faults)),
        told("how often", faults.total()),
    ]


async def _measure(requests: int, draw: random.Random) -> list[Figure]:
    seen: Counter[str] = Counter()

    def script(asked: Request) -> Answer:
        kind = draw.choice(list(ENGINES))
        seen[kind] += 1
        return ENGINES[kind](draw)

    async with (
        Engine(script) as first,
        Engine(script) as second,
        front("protocol", timeouts=TIMEOUTS, ejection=EJECTION, limits=LIMITS) as gateway,
    ):
        gateway.offer(first.address, second.address, slots=SLOTS)
        gateway.allow(*KEYS)
        wrong: list[str] = []
        checking = asyncio.create_task(_check(gateway, wrong))
        outcomes = await _send(gateway, requests, draw)
        ended = asyncio.get_running_loop().time()
        left_over = 0
        try:
            await gateway.idle(PATIENCE_S)
        except TimeoutError:
            left_over = len(gateway.gateway.active)
        took = asyncio.get_running_loop().time() - ended
        checking.cancel()
        with suppress(asyncio.CancelledError):
            await checking
        left_over += sum(map(abs, counters(gateway.gateway)))
    return [
        told("requests", outcomes.total()),
        told("of them left by the client", outcomes["left"]),
        told("answered with an error or cut", outcomes["failed"]),
        none("clients that waited in vain on an open connection", outcomes["waited"]),
        told("ways in which engines behaved", len(seen)),
        none("counters that are not zero afterwards", left_over),
        none("moments at which a counter was below zero or above the requests", len(wrong)),
        seconds("until all are zero", took, at_most=GOAL_S),
    ]


def counters(gateway: Gateway) -> list[int]:
    """Return all that is counted of requests under way: requests, slots and bytes."""
    upstreams = gateway.routes.upstreams.values()
    admission = gateway.admission
    return [
        *(one.in_flight for one in upstreams),
        # A trial that nobody makes, and that nobody else may make.
        *(one.breaker.state is State.HALF and not one.breaker.may_be_tried for one in upstreams),
        admission.under_way,
        admission.held,
        len(admission._by_key),
        gateway.retry_budget.under_way,
        gateway.room.waiting,
    ]


async def _send(gateway: Front, requests: int, draw: random.Random) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    slots = asyncio.Semaphore(AT_ONCE)
    limits = httpx.Limits(max_connections=None)

    async def one(client: httpx.AsyncClient, patience: float | None) -> str:
        key = {"authorization": f"Bearer {draw.choice(KEYS)}"}
        try:
            async with asyncio.timeout(patience):
                answer = await client.post(CHAT, headers=key, json={"model": "small"})
        except TimeoutError:
            return "left"
        except httpx.TimeoutException:
            return "waited"
        except httpx.HTTPError:
            return "failed"
        return "answered" if answer.is_success else "failed"

    async def limited(client: httpx.AsyncClient, patience: float | None) -> None:
        async with slots:
            outcomes[await one(client, patience)] += 1

    async with httpx.AsyncClient(
        base_url=gateway.url, trust_env=False, timeout=CLIENT_S, limits=limits
    ) as client:
        leaves = (draw.random() * 0.05 if draw.random() < 0.5 else None for _ in range(requests))
        await asyncio.gather(*(limited(client, patience) for patience in leaves))
    return outcomes


async def _check(gateway: Front, wrong: list[str]) -> None:
    """Note every moment at which the counters cannot be true."""
    while True:
        loads = gateway.gateway.in_flight()
        counts = [one.in_flight for one in gateway.gateway.routes.upstreams.values()]
        if min(counts, default=0) < 0 or sum(counts) > len(gateway.gateway.active):
            wrong.append(f"{loads} with {len(gateway.gateway.active)} requests")
        await asyncio.sleep(CHECK_S)


PROMISE = Promise(run, short={"requests": 400}, full={"requests": 20_000})
