"""R49: who waits for a service that goes is served elsewhere, or told at once."""

import asyncio
import time
from pathlib import Path

from tests.chaos.calls import calling
from tests.chaos.promise import Figure, Promise, all_of, none, quantile, seconds, told
from tests.chaos.waiting import asked, gauges, slotted, slowly
from tests.chaos.world import Served, serving
from tests.fakes.answers import Answer
from tests.fakes.engine import Engine, Request

SHARED, ALONE = "m", "n"  # models: of both services, and of the one that goes
ANSWER_S, LONG_S = 0.01, 60.0
AT_ONCE_S = 1.0
PATIENCE_S = 30.0


def run(folder: Path, *, waiting: int) -> list[Figure]:
    """Remove a service for which so many wait that another one may serve, and as many others."""
    return asyncio.run(_measure(folder, waiting))


async def _measure(folder: Path, waiting: int) -> list[Figure]:
    def long(_: Request) -> Answer:
        return slowly(LONG_S)

    async with Engine(long) as going, Engine(long) as staying:
        left = slotted("h/staying", staying.address, 1, [SHARED])
        both = [slotted("h/going", going.address, 1, [SHARED, ALONE]), left]
        with serving(folder, both, drain=0.1) as here:
            held = asyncio.create_task(asked(here.port, ALONE))
            await going.until(lambda: going.in_flight == 1, PATIENCE_S)
            beside = asyncio.create_task(asked(here.port, SHARED))
            await staying.until(lambda: staying.in_flight == 1, PATIENCE_S)
            ended: list[float] = []
            asks = [_ask(here, model, ended) for model in (SHARED, ALONE) * waiting]
            async with gauges(here.port) as said:
                await said.until_waiting(2 * waiting, PATIENCE_S)
            staying.script = lambda _: slowly(ANSWER_S)
            gone_at = time.monotonic()
            with calling(here.control.port()) as calls:
                calls.register("h", [left])
            beside.cancel()  # the one that stays is free for those who wait
            answers = await asyncio.gather(*asks)
            cut = held.done()
            held.cancel()
            await asyncio.gather(beside, held, return_exceptions=True)
    by_other = answers[::2].count((200, "h/staying"))
    refused = answers[1::2].count((503, ""))
    slowest = quantile([at - gone_at for at in ended], 0.99)
    return [
        told("requests that waited for either of two services", waiting),
        all_of("of them answered by the one that stayed", by_other, waiting),
        told("requests that waited for the one that went", waiting),
        all_of("of them told that there is none", refused, waiting),
        seconds("until they were told, p99", slowest, at_most=AT_ONCE_S),
        none("requests that it was working for and that were cut", int(cut)),
    ]


def _ask(here: Served, model: str, ended: list[float]) -> asyncio.Task[tuple[int, str]]:
    """Ask for `model`; for the one that is to go, note when that was answered."""
    task = asyncio.create_task(asked(here.port, model))
    if model == ALONE:
        task.add_done_callback(lambda _: ended.append(time.monotonic()))
    return task


PROMISE = Promise(run, short={"waiting": 20}, full={"waiting": 500})
