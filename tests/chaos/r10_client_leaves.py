"""R10: when a client leaves, the engine stops working for it; at any moment, in any way."""

import asyncio
import random
from itertools import product
from pathlib import Path

from tests.chaos.promise import Figure, Promise, all_of, milliseconds, none, quantile, told
from tests.fakes.answers import Answer
from tests.fakes.engine import Engine, Request
from tests.fakes.node_door import NodeDoor
from tests.integration.gateway.front import Front, front, request
from tests.integration.gateway.test_disconnect import PHASES, SEEN_BY_CLIENT, leave

GOAL_S = 1.0
PATIENCE_S = 10.0
AT_ONCE = 25
DOORS = ("protocol", "asgi")
MOMENTS = tuple(PHASES)
WAYS = ("FIN", "RST", "half-close")


def run(folder: Path, *, trials: int) -> list[Figure]:
    """Let `trials` clients leave at every moment in every way, through each door."""
    figures = []
    for door in DOORS:
        took, left_over = asyncio.run(through(door, trials))
        total = trials * len(MOMENTS) * len(WAYS)
        figures += [
            all_of(f"{door} door: engines freed", len(took), total),
            milliseconds(f"{door} door: median", quantile(took, 0.5)),
            milliseconds(f"{door} door: slowest", max(took), at_most=GOAL_S * 1000),
            none(f"{door} door: requests in flight afterwards", left_over),
        ]
    return [told("moments", len(MOMENTS)), told("ways to leave", len(WAYS)), *figures]


async def through(door: str, trials: int, node: NodeDoor | None = None) -> tuple[list[float], int]:
    """Return the seconds until each engine was freed, and what is in flight then.

    node: through whose door engines are reached, if not directly.
    """
    plan = list(product(range(len(MOMENTS)), WAYS)) * trials
    random.Random(7).shuffle(plan)
    arrivals: list[asyncio.Future[Request]] = [asyncio.Future() for _ in plan]

    def script(asked: Request) -> Answer:
        body = asked.json()
        arrivals[body["number"]].set_result(asked)
        return PHASES[MOMENTS[body["moment"]]]

    async with Engine(script) as engine, front(door) as gateway:
        gateway.node = node
        gateway.offer(engine.address)
        slots = asyncio.Semaphore(AT_ONCE)

        async def come_and_leave(number: int, moment: int, way: str) -> float:
            async with slots:
                return await _come_and_leave(gateway, number, moment, way, arrivals[number])

        took = await asyncio.gather(
            *(come_and_leave(number, moment, way) for number, (moment, way) in enumerate(plan))
        )
        await gateway.idle(PATIENCE_S)
        return took, sum(gateway.gateway.in_flight().values())


async def _come_and_leave(
    gateway: Front, number: int, moment: int, way: str, arrival: asyncio.Future[Request]
) -> float:
    """Return the seconds from the leaving of a client to the end of its engine's connection."""
    reader, writer = await gateway.connect()
    writer.write(request(b'{"model":"small","number":%d,"moment":%d}' % (number, moment)))
    async with asyncio.timeout(PATIENCE_S):
        connection = (await arrival).connection
        if seen := SEEN_BY_CLIENT.get(MOMENTS[moment]):
            await reader.readuntil(seen)
    left_at = asyncio.get_running_loop().time()
    leave(writer, way)
    try:
        return await connection.closed_within(PATIENCE_S) - left_at
    finally:
        writer.close()


PROMISE = Promise(run, short={"trials": 20}, full={"trials": 500})
