"""R50: a full waiting room holds up neither the gateway nor who is served."""

import asyncio
import random
import time
from dataclasses import dataclass
from pathlib import Path

from geniehive.v1 import routing_service_pb2 as pb

from tests.chaos.promise import Figure, Promise, all_of, milliseconds, none, quantile, told
from tests.chaos.pulse import pulse
from tests.chaos.waiting import BODY, gateway_before, gauges, slotted, slowly
from tests.fakes.engine import Engine
from tests.unit.gateway.crowd import Crowd

STRATEGIES = {
    "least_loaded": pb.STRATEGY_LEAST_LOADED,
    "expected_completion": pb.STRATEGY_EXPECTED_COMPLETION,
}
PASS_MS, LAG_MS = 5.0, 50.0
WORK_S = 5.0  # of a request, as the clock of the plans goes
ANSWER_S = 1.0  # of an engine, as the clock on the wall does
SETTLE_S = 2.0
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Size:
    """How many there are. services: of one slot each. waiting: requests."""

    services: int
    waiting: int


def run(folder: Path, *, size: Size, passes: int, seconds: float, seed: int = 50) -> list[Figure]:
    """Plan so many times, then ask a gateway how it is for `seconds`, 0 to leave that out."""
    figures = [
        told("services, of one slot each", size.services),
        told("requests that wait", size.waiting),
    ]
    for name, strategy in STRATEGIES.items():
        figures += asyncio.run(_planned(name, strategy, size, passes, random.Random(seed)))
    return [*figures, *(asyncio.run(_asked(folder, size, seconds)) if seconds else ())]


async def _planned(
    name: str, strategy: pb.Strategy, size: Size, passes: int, draw: random.Random
) -> list[Figure]:
    """Let a service be done, and another client come, again and again."""
    slots = {f"h/{number}": 1 for number in range(size.services)}
    crowd = Crowd(slots, strategy=strategy, random=draw.random, limits={"waiting": size.waiting})
    for number in range(size.services + size.waiting):
        crowd.come(principal=f"k{number % 20}", size=draw.randrange(1, 2_000))
    await crowd.turn()
    crowd.now += WORK_S  # or the first answers would teach that all is quick
    took, sent = [], 0
    for _ in range(passes):
        crowd.now += WORK_S / size.services
        before = len(crowd.calls)
        crowd.finish(crowd.served[0])  # who was sent first
        begin = time.thread_time()
        crowd.gateway.room.plan()
        took.append(time.thread_time() - begin)
        await crowd.turn()
        sent += len(crowd.calls) - before
        crowd.come(principal=f"k{draw.randrange(20)}", size=draw.randrange(1, 2_000))
    for guest in crowd.guests:
        crowd.leave(guest)
    return [
        told(
            f"{name}: median CPU time of a planning pass",
            round(quantile(took, 0.5) * 1_000, 2),
            "ms",
        ),
        milliseconds(f"{name}: p99 of that", quantile(took, 0.99), at_most=PASS_MS),
        all_of(f"{name}: passes that sent the next one", sent, passes),
    ]


async def _asked(folder: Path, size: Size, seconds: float) -> list[Figure]:
    """Keep all services busy and the room full, and take the pulse of the gateway."""
    failed = answered = 0
    async with Engine(lambda _: slowly(ANSWER_S)) as engine:
        services = [slotted(f"h/{number}", engine.address, 1) for number in range(size.services)]
        limits = {"waiting": 2 * size.waiting}
        async with (
            gateway_before(folder, services, apart=True, limits=limits) as port,
            gauges(port) as said,
        ):

            async def client() -> None:
                nonlocal answered, failed
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                while True:
                    writer.write(BODY)
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                    await reader.readexactly(int(length))
                    failed += not head.startswith(b"HTTP/1.1 200 ")
                    answered += 1

            clients = [asyncio.create_task(client()) for _ in range(size.services + size.waiting)]
            await asyncio.sleep(SETTLE_S)
            waiting = await said.waiting()
            before = answered
            with pulse(port) as health:
                await asyncio.sleep(seconds)
            rate = (answered - before) / seconds
            for one in clients:
                one.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
            await said.until_idle(PATIENCE_S)
    late = [took for _, took in health]
    return [
        told("waiting in a gateway of its own", waiting),
        told("answered there meanwhile", round(rate), "/s"),
        none("of them failed", failed),
        milliseconds("p99 of /health meanwhile", quantile(late, 0.99), at_most=LAG_MS),
        milliseconds("slowest", max(late)),
    ]


PROMISE = Promise(
    run,
    short={"size": Size(30, 200), "passes": 50, "seconds": 0.0},
    full={"size": Size(100, 1_000), "passes": 2_000, "seconds": 60.0},
)
