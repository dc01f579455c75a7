"""R3: one of three engines dies under load, again and again, and clients do not notice."""

import asyncio
import random
from pathlib import Path

from tests.chaos.engines import MODEL, Mortal, fakes, mortals, services
from tests.chaos.load import OpenLoad, loading
from tests.chaos.promise import Figure, Promise, milliseconds, none, told
from tests.chaos.world import serving

RATE = 50.0
WORDS, PACE_S = 8, 0.02  # streams last, so that some are under way when an engine dies
ADDED_MS = 250.0
SAMPLES = 500  # of fewer, the p99 is the slowest or so


def run(
    folder: Path, *, kills: int, every: float, dead: float, baseline: float, seed: int = 3
) -> list[Figure]:
    """Kill a random engine `kills` times, `every` seconds, and start it `dead` seconds later."""
    with (
        mortals(*fakes(folder, 3, words=WORDS, pace=PACE_S)) as engines,
        serving(folder, services([one.address for one in engines])) as here,
    ):
        load = OpenLoad(f"http://127.0.0.1:{here.port}", [MODEL], RATE)
        plan = random.Random(seed).choices(engines, k=kills)
        return asyncio.run(_measure(load, plan, every, dead, baseline))


async def _measure(
    load: OpenLoad, plan: list[Mortal], every: float, dead: float, baseline: float
) -> list[Figure]:
    loop = asyncio.get_running_loop()
    async with loading(load):
        begin = loop.time()
        await asyncio.sleep(baseline)
        first = loop.time()
        for number, engine in enumerate(plan):
            await asyncio.sleep(max(0.0, first + number * every - loop.time()))
            await asyncio.to_thread(engine.kill)
            await asyncio.sleep(dead)
            await asyncio.to_thread(engine.revive)
        await asyncio.sleep(max(0.0, first + len(plan) * every - loop.time()))
        end = loop.time()
    if load.failed:
        print(dict(load.problems))  # for who looks into the log
    normal, hurt = load.p99(begin, first), load.p99(first, end)
    cut = sum(bool(one.problem) and one.begun for one in load.samples)
    judged = (end - first) * RATE >= SAMPLES
    return [
        told("requests, at 50 a second, every second one a stream", len(load.samples)),
        told("kills of one of three engines", len(plan)),
        none("requests that failed before the client had a byte", load.failed - cut),
        told("streams that were cut where they were", cut),
        milliseconds("p99 before", normal),
        milliseconds("p99 added meanwhile", hurt - normal, at_most=ADDED_MS if judged else None),
    ]


PROMISE = Promise(
    run,
    short={"kills": 2, "every": 1.5, "dead": 0.5, "baseline": 1.0},
    full={"kills": 20, "every": 10.0, "dead": 5.0, "baseline": 30.0},
)
