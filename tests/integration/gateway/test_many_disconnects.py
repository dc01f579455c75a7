"""500 clients leave at every point of a request: every engine is freed, and the figure is shown."""

import asyncio
import random
from collections import Counter

import pytest

from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front, request
from tests.integration.gateway.test_disconnect import (
    BOUND_SECONDS,
    GOAL_SECONDS,
    PHASES,
    SEEN_BY_CLIENT,
    leave,
)

pytestmark = pytest.mark.anyio

CLIENTS = 500
AT_ONCE = 25
KINDS = ["before headers", "before the first token", "mid-stream"]


async def test_five_hundred_clients_leave(front: Front, engine: Engine, capsys):
    draw = random.Random(7)
    plan = [(KINDS[n % len(KINDS)], draw.choice(["FIN", "RST"])) for n in range(CLIENTS)]
    engine.script = lambda asked: PHASES[KINDS[asked.json()["kind"]]]
    slots = asyncio.Semaphore(AT_ONCE)
    took: list[float] = []

    async def come_and_leave(number: int, kind: str, how: str) -> None:
        async with slots:
            reader, writer = await front.connect()
            body = b'{"model":"small","number":%d,"kind":%d}' % (number, KINDS.index(kind))
            writer.write(request(body))
            await engine.until(lambda: number in arrived(), 30)
            if kind in SEEN_BY_CLIENT:
                await reader.readuntil(SEEN_BY_CLIENT[kind])
            connection = arrived()[number].connection
            left_at = asyncio.get_running_loop().time()
            leave(writer, how)
            took.append(await connection.closed_within(BOUND_SECONDS) - left_at)

    numbers: dict = {}

    def arrived() -> dict:
        while len(numbers) < len(engine.requests):
            seen = engine.requests[len(numbers)]
            numbers[seen.json()["number"]] = seen
        return numbers

    async with asyncio.TaskGroup() as group:
        for number, (kind, how) in enumerate(plan):
            group.create_task(come_and_leave(number, kind, how))
    await front.idle()

    assert front.gateway.loads() == {}
    assert all(seen.connection.by_peer for seen in engine.requests)
    within = sum(seconds <= GOAL_SECONDS for seconds in took)
    with capsys.disabled():
        print(
            f"\n{front.door} door: {len(took)} clients left {dict(Counter(k for k, _ in plan))}; "
            f"engine freed within {GOAL_SECONDS:g} s in {within}, "
            f"median {sorted(took)[len(took) // 2] * 1000:.1f} ms, "
            f"slowest {max(took) * 1000:.1f} ms; in flight afterwards 0"
        )
