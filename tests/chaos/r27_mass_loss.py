"""R27: when most hosts go silent at once, control takes itself for the one that is cut off."""

import asyncio
import re
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.chaos import faults
from tests.chaos.beats import Hosts
from tests.chaos.load import OpenLoad
from tests.chaos.promise import Figure, Promise, all_of, none, told
from tests.chaos.proxy import FaultProxy, proxying
from tests.chaos.world import MODELS, World, world

INTERVAL_S = 0.5
RATE = 50.0
ALARM = re.compile("went silent together")


def run(folder: Path, *, hosts: int, away: float, shares: tuple[float, ...]) -> list[Figure]:
    """Cut control from these shares of `hosts`, for `away` seconds each."""
    figures = []
    for share in shares:
        here = folder / f"{share:g}"
        here.mkdir()
        figures += _cut(here, hosts, share, away)
    return figures


def _cut(folder: Path, count: int, share: float, away: float) -> list[Figure]:
    with ExitStack() as stack:
        here = stack.enter_context(world(folder, hosts=0, heartbeat_interval_s=INTERVAL_S))
        near, far = (stack.enter_context(proxying(here.control.port())) for _ in range(2))
        engine = f"127.0.0.1:{here.engine.port()}"
        names = [f"n{number}" for number in range(count)]
        silent = names[: round(share * count)]
        for proxy, some in ((far, silent), (near, names[len(silent) :])):
            models = {name: MODELS[number % len(MODELS)] for number, name in enumerate(some)}
            stack.enter_context(Hosts(proxy.port, engine, models, INTERVAL_S).beating())
        here.wait_for_models()
        routable = here.health().routable_service_count
        load = asyncio.run(_serve(here, far, away))
        after = here.health().routable_service_count
        alarms = len(ALARM.findall(here.control.logged()))
    what = f"{len(silent)} of {count} hosts silent for {away:g} s"
    return [
        all_of(f"{what}: services routed to", after, routable),
        told(f"{what}: requests", len(load.samples)),
        none(f"{what}: requests failed", load.failed),
        Figure(f"{what}: alarms in the log", alarms, at_least=1),
    ]


async def _serve(here: World, network: FaultProxy, away: float) -> OpenLoad:
    """Cut the hosts behind `network` off for `away` seconds, under load."""
    load = OpenLoad(here.url, MODELS, RATE)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(INTERVAL_S)
    network.fault = faults.blackhole
    await asyncio.sleep(away)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return load


PROMISE = Promise(
    run,
    short={"hosts": 10, "away": 2.2, "shares": (0.6,)},
    full={"hosts": 100, "away": 60.0, "shares": (1.0, 0.6)},
)
