"""R33: a table that is wrong is refused with a reason, and a large one holds nothing up."""

import asyncio
import time
from pathlib import Path

import httpx

from gateway.table import SnapshotWanted
from tests.chaos.calls import calling, service
from tests.chaos.promise import Figure, Promise, all_of, milliseconds, quantile, seconds, told
from tests.chaos.pulse import pulse
from tests.chaos.world import Served, served
from tests.fakes.engine import Engine, openai
from tests.processes import wait_until
from tests.unit.gateway.test_bad_updates import ONE, WHOLE, Following, update_of

HOSTS = 10
APPLIED_S = 1.0
PATIENCE_S = 60.0


def run(folder: Path, *, updates: int, routes: int) -> list[Figure]:
    """Push `updates` wrong updates to a table, then `routes` right ones to a gateway."""
    good = Following().served()
    outcomes = [_outcome(case, good) for case in range(updates)]
    return [
        told("updates, wrong in one of many ways each", updates),
        all_of("refused with a reason", sum(refused for refused, _ in outcomes), updates),
        all_of("after which requests go where they went", sum(s for _, s in outcomes), updates),
        *asyncio.run(_push(folder, routes)),
    ]


def _outcome(case: int, good: object) -> tuple[bool, bool]:
    """Return whether a wrong update was refused with a reason, and all is served as before."""
    damages = WHOLE + ONE
    damage = damages[case % len(damages)]
    following, update, chance = update_of(case)
    damage(update, chance)
    try:
        reasons = list(following.take(update).unusable.values())
    except SnapshotWanted as refused:
        reasons = [str(refused)]
    return any(reasons), following.served() == good


async def _push(folder: Path, routes: int) -> list[Figure]:
    async with Engine(openai(["small"])) as engine:
        with served(folder, {"small": engine.address}) as here, pulse(here.port) as samples:
            took = await asyncio.to_thread(_register, here, engine.address, routes)
    lags = [lag for _, lag in samples]
    return [
        told("routes pushed at once", routes),
        seconds("until the last of them is served", took, at_most=APPLIED_S),
        milliseconds("longest hold-up of the gateway meanwhile", max(lags), at_most=100.0),
        milliseconds("health p99 meanwhile", quantile(lags, 0.99)),
    ]


def _register(here: Served, engine: str, routes: int) -> float:
    """Return the seconds from the last registration until the gateway knows all of it."""
    last = ""
    with calling(here.control.port(), deadline=PATIENCE_S) as calls:
        for host in range(HOSTS):
            names = [f"m{host}-{number}" for number in range(routes // HOSTS)]
            offered = [service(f"host-{host}/{name}", engine, [name]) for name in names]
            calls.register(f"host-{host}", offered)
            last = names[-1]
    begin = time.monotonic()
    url = f"http://127.0.0.1:{here.port}/v1/models/{last}"
    wait_until(
        lambda: httpx.get(url, trust_env=False).is_success, PATIENCE_S, "all routes are served"
    )
    return time.monotonic() - begin


PROMISE = Promise(
    run, short={"updates": 100, "routes": 1_000}, full={"updates": 500, "routes": 10_000}
)
