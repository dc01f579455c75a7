"""R47: clients that leave while they wait are gone at once, and leave nothing behind."""

import asyncio
import random
from pathlib import Path

from tests.chaos.promise import Figure, Promise, all_of, milliseconds, none, seconds, told
from tests.chaos.waiting import BODY, Gauges, asked, gateway_before, gauges, slotted, slowly
from tests.fakes.engine import Engine
from tests.integration.gateway.test_disconnect import leave

ENGINES, SLOTS = 2, 2
ANSWER_S = 0.005
AT_ONCE = 100
STAY_S = 0.05  # at most, until a client leaves
GONE_MS = 100.0
IDLE_S = 1.0
PATIENCE_S = 30.0
AFTERWARDS = 20


def run(folder: Path, *, cancels: int, leaving: int, apart: bool, seed: int = 47) -> list[Figure]:
    """Let clients leave at random moments, then `leaving` at once that all wait.

    apart: whether the gateway is a process of its own.
    """
    return asyncio.run(_measure(folder, cancels, leaving, apart, random.Random(seed)))


async def _measure(
    folder: Path, cancels: int, leaving: int, apart: bool, draw: random.Random
) -> list[Figure]:
    async with Engine(lambda _: slowly(ANSWER_S)) as one, Engine(lambda _: slowly(ANSWER_S)) as two:
        services = [slotted(f"h/{n}", engine.address, SLOTS) for n, engine in enumerate((one, two))]
        async with (
            gateway_before(folder, services, apart=apart) as port,
            gauges(port) as said,
        ):
            answered = await _come_and_go(port, cancels, draw)
            idle_s = await said.until_idle(PATIENCE_S)
            good = [await asked(port) for _ in range(AFTERWARDS)]
            one.script = two.script = lambda _: slowly(PATIENCE_S)
            gone_s = await _leave_together(port, said, leaving)
            left = await said.until_idle(PATIENCE_S)
            working = one.in_flight + two.in_flight
    return [
        told("clients that left at a random moment", cancels),
        told("of them answered before", answered),
        seconds("until nothing is under way", idle_s, at_most=IDLE_S),
        all_of("requests answered afterwards", [ok for ok, _ in good].count(200), AFTERWARDS),
        told("clients that left together while they waited", leaving),
        milliseconds("until none of them is in the queue", gone_s, at_most=GONE_MS),
        seconds("until nothing is under way then", left, at_most=IDLE_S),
        none("requests that engines still work for", working),
    ]


async def _come_and_go(port: int, count: int, draw: random.Random) -> int:
    """Let so many clients ask and leave; return how many were answered before they did."""
    places = asyncio.Semaphore(AT_ONCE)
    answered = 0

    async def come(stay: float, how: str) -> None:
        nonlocal answered
        async with places:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(BODY)
            try:
                async with asyncio.timeout(stay):
                    await reader.readuntil(b"\r\n\r\n")
                answered += 1
            except TimeoutError:
                pass
            leave(writer, how)

    visits = [(draw.random() * STAY_S, draw.choice(["FIN", "RST"])) for _ in range(count)]
    await asyncio.gather(*(come(*visit) for visit in visits))
    return answered


async def _leave_together(port: int, said: Gauges, count: int) -> float:
    """Let so many wait, and leave; return the seconds until the gateway says that none waits."""
    writers = []
    for _ in range(count + ENGINES * SLOTS):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(BODY)
        writers.append(writer)
    await said.until_waiting(count, PATIENCE_S)
    loop = asyncio.get_running_loop()
    # Those who wait first: who is served would else let others take their places.
    begin = loop.time()
    for writer in reversed(writers):
        leave(writer, "FIN")
    await said.until_waiting(0, PATIENCE_S)
    return loop.time() - begin


PROMISE = Promise(
    run,
    short={"cancels": 200, "leaving": 100, "apart": False},
    full={"cancels": 20_000, "leaving": 500, "apart": True},
)
