"""R1: clients do not notice that control is away, in whatever way it is."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from tests.chaos import faults
from tests.chaos.load import OpenLoad
from tests.chaos.promise import Figure, Promise, all_of, milliseconds, none, seconds, told
from tests.chaos.world import MODELS, World, world
from tests.processes import wait_until

RATE = 100.0
ADDED_MS = 5.0
SAMPLES = 1_000  # of fewer, the p99 is the slowest or so
BACK_S = 60.0  # for a busy machine; the figure has its own bound
AFTER_S = 0.5
WATCH_S = 0.1


@contextmanager
def killed(here: World) -> Iterator[None]:
    here.control.kill()
    yield
    here.start_control()


@contextmanager
def emptied(here: World) -> Iterator[None]:
    """Control loses its store, too."""
    here.control.kill()
    here.empty_the_store()
    yield
    here.start_control()


def frozen(here: World) -> AbstractContextManager[None]:
    return here.control.frozen()


@contextmanager
def blackholed(here: World) -> Iterator[None]:
    here.network.fault = faults.blackhole
    yield
    here.network.fault = faults.clear


@contextmanager
def locked(here: World) -> Iterator[None]:
    """Another program holds the right to write to the database."""
    other = sqlite3.connect(here.store)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.rollback()
    other.close()


Away = Callable[[World], AbstractContextManager[None]]
WAYS: tuple[Away, ...] = (killed, emptied, frozen, blackholed, locked)


def run(
    folder: Path, *, ways: tuple[Away, ...], away: float, baseline: float, grace: float
) -> list[Figure]:
    """Load a gateway and let control be away for `away` seconds in these ways, one by one.

    baseline: seconds of load before. grace: how long control waits for hosts before
    absence counts, in seconds.
    """
    with world(folder, grace_s=grace) as here:
        return asyncio.run(_measure(here, ways, away, baseline))


async def _measure(
    here: World, ways: tuple[Away, ...], away: float, baseline: float
) -> list[Figure]:
    loop = asyncio.get_running_loop()
    load = OpenLoad(here.url, MODELS, RATE)
    offered: list[int] = []
    running = asyncio.create_task(load.run())
    watching = asyncio.create_task(_watch(here, offered))
    await asyncio.sleep(AFTER_S)  # the first requests find nothing warm
    begin = loop.time()
    await asyncio.sleep(baseline)
    normal = load.p99(begin, loop.time())
    added: dict[str, float] = {}
    back: dict[str, float] = {}
    for way in ways:
        begin = loop.time()
        with way(here):
            await asyncio.sleep(away)
            added[way.__name__] = load.p99(begin, loop.time()) - normal
        returned = loop.time()
        await asyncio.to_thread(wait_until, lambda: in_step(here), BACK_S, "all are back")
        back[way.__name__] = loop.time() - returned
        # Only from here on would the gateway drop what it does not see in control's table.
        await asyncio.to_thread(wait_until, lambda: here.health().settled, BACK_S, "settled")
        await asyncio.sleep(AFTER_S)
    running.cancel()
    watching.cancel()
    judged = away * RATE >= SAMPLES
    if load.failed:
        print(dict(load.problems))  # for who looks into the log
    with suppress(asyncio.CancelledError):
        await asyncio.gather(running, watching)
    return [
        told("requests, at 100 a second, every second one a stream", len(load.samples)),
        none("of them failed", load.failed),
        all_of("models offered at any time, at least", min(offered), len(MODELS)),
        milliseconds("p99 before", normal),
        *(
            milliseconds(
                f"p99 added while control is {how}", value, at_most=ADDED_MS if judged else None
            )
            for how, value in added.items()
        ),
        *(
            seconds(f"control {how}: until all are in step again", value, at_most=5.0)
            for how, value in back.items()
        ),
    ]


def in_step(here: World) -> bool:
    """Return whether control and everybody else know each other again."""
    health = here.health()
    known = health.online_host_count == 1 and health.gateway_count == 1
    return known and here.ready().get("control") == "connected"


async def _watch(here: World, offered: list[int]) -> None:
    while True:
        offered.append(len(await asyncio.to_thread(here.models)))
        await asyncio.sleep(WATCH_S)


PROMISE = Promise(
    run,
    short={"ways": WAYS[1:], "away": 0.7, "baseline": 0.5, "grace": 4.0},
    full={"ways": WAYS, "away": 120.0, "baseline": 60.0, "grace": 10.0},
)
