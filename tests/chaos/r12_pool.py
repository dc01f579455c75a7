"""R12: cancelled requests leave no connection behind that nobody can use."""

import asyncio
import random
from pathlib import Path

import httpx

from tests.chaos.promise import Figure, Promise, all_of, none, told
from tests.fakes import answers
from tests.fakes.answers import Pause
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import CHAT, Front, front, request
from tests.integration.gateway.test_disconnect import leave

AT_ONCE = 100
PATIENCE_S = 30.0


def run(folder: Path, *, cancelled: int, normal: int, seed: int = 12) -> list[Figure]:
    """Cancel requests while many others hold connections, then send ordinary ones."""
    return asyncio.run(_measure(cancelled, normal, random.Random(seed)))


async def _measure(cancelled: int, normal: int, draw: random.Random) -> list[Figure]:
    slow = answers.events([answers.data({"n": n}) for n in range(3)], 0.02)
    async with Engine(lambda _: [Pause(0.01), *slow]) as engine, front("protocol") as gateway:
        gateway.offer(engine.address)
        slots = asyncio.Semaphore(AT_ONCE)

        async def cancel() -> None:
            async with slots:
                _, writer = await gateway.connect()
                writer.write(request(b'{"model":"small"}'))
                await asyncio.sleep(draw.random() * 0.06)
                leave(writer, draw.choice(["FIN", "RST"]))

        await asyncio.gather(*(cancel() for _ in range(cancelled)))
        engine.script = openai(["small"])
        good = await _ordinary(gateway, normal)
        await gateway.idle(PATIENCE_S)
        leaked = sum(one.in_flight for one in gateway.gateway.routes.upstreams.values())
        await engine.until(lambda: engine.in_flight == 0, PATIENCE_S)
        return [
            told(f"requests cancelled, {AT_ONCE} at once", cancelled),
            all_of("ordinary requests answered at once afterwards", good, normal),
            none("slots that leaked", leaked + engine.in_flight),
        ]


async def _ordinary(gateway: Front, count: int) -> int:
    """Return how many of `count` requests are answered."""
    slots = asyncio.Semaphore(AT_ONCE)

    async with httpx.AsyncClient(
        base_url=gateway.url, trust_env=False, timeout=PATIENCE_S
    ) as client:

        async def one() -> bool:
            async with slots:
                try:
                    return (await client.post(CHAT, json={"model": "small"})).is_success
                except httpx.HTTPError:
                    return False

        return sum(await asyncio.gather(*(one() for _ in range(count))))


PROMISE = Promise(
    run, short={"cancelled": 500, "normal": 100}, full={"cancelled": 10_000, "normal": 1_000}
)
