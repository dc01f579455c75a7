"""Requests that come when they come, whatever became of those before, and how each fared."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from bench.replay.arrivals import WORDS
from tests.chaos.promise import quantile
from tests.waiting.fleet import authorization

TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request. at: seconds after the first one. prompt, answer: tokens, about and exactly."""

    at: float
    prompt: int
    answer: int
    model: str
    key: str = ""


@dataclass(slots=True)
class Fate:
    """What became of a request. Seconds, from when it was to come.

    first_s: until its first token; if there was none, until nobody waited for it any longer.
    whole_s: until its last; 0 when it was not answered whole. waited_s: in the gateway.
    late_s: that it came later than it was to. status: 0 when there was none.
    """

    arrival: Arrival
    first_s: float = 0.0
    whole_s: float = 0.0
    waited_s: float = 0.0
    late_s: float = 0.0
    service: str = ""
    status: int = 0
    timings: dict[str, float] = field(default_factory=dict)  # as the engine tells them

    @property
    def token_s(self) -> float:
        """Seconds a token after the first one."""
        return (self.whole_s - self.first_s) / max(1, self.arrival.answer - 1)


def told(fates: Sequence[Fate]) -> str:
    """Return cells of a table: first token p50 and p95, and how many had no whole answer."""
    firsts = [one.first_s for one in fates]
    unanswered = sum(not one.whole_s for one in fates)
    return f"{quantile(firsts, 0.5):.2f} s | {quantile(firsts, 0.95):.2f} s | {unanswered}"


async def replay(
    url: str, arrivals: Sequence[Arrival], patience_s: float = TIMEOUT_S
) -> list[Fate]:
    """Send `arrivals`, each at its moment, and return what became of them, in their order.

    patience_s: how long answers are waited for after the last one came; the others are given up.
    """
    fates = [Fate(one) for one in arrivals]
    # llama.cpp closes connections that rest; what is measured is not how well that is noticed.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=url, timeout=TIMEOUT_S, limits=limits, trust_env=False
    ) as client:
        began = time.monotonic()
        asked = [asyncio.create_task(_ask(client, one, began)) for one in fates]
        last = max(one.at for one in arrivals)
        _, left = await asyncio.wait(asked, timeout=last + patience_s)
        for task in left:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        for task in asked:
            if not task.cancelled():
                task.result()
    return fates


async def _ask(client: httpx.AsyncClient, fate: Fate, began: float) -> None:
    arrival = fate.arrival
    due = began + arrival.at
    await asyncio.sleep(due - time.monotonic())
    fate.late_s = time.monotonic() - due
    try:
        async with client.stream(
            "POST", "/v1/chat/completions", json=_body(arrival), headers=authorization(arrival.key)
        ) as answer:
            fate.status = answer.status_code
            fate.service = answer.headers.get("x-geniehive-service", "")
            fate.waited_s = float(answer.headers.get("x-geniehive-queue-ms", 0)) / 1000
            async for line in answer.aiter_lines():
                if not line.startswith("data: {"):
                    continue
                fate.first_s = fate.first_s or time.monotonic() - due
                if '"timings"' in line:
                    fate.timings = json.loads(line.removeprefix("data: "))["timings"]
        if answer.is_success:
            fate.whole_s = time.monotonic() - due
    except httpx.HTTPError:
        fate.status = 0
    finally:
        fate.first_s = fate.first_s or time.monotonic() - due


def _body(arrival: Arrival) -> dict[str, object]:
    chosen = random.Random(repr(arrival))
    return {
        "model": arrival.model,
        "messages": [
            {"role": "user", "content": " ".join(chosen.choices(WORDS, k=arrival.prompt))}
        ],
        "stream": True,
        "max_tokens": arrival.answer,
        "ignore_eos": True,  # each is as much work as the trace says
        "cache_prompt": False,
    }
