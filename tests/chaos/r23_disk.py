"""R23: a disk that is full, read-only or broken is said in one clear way, and hurts no client."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path

import psutil

from control.api.errors import GenieHiveError, StorageUnavailable
from tests.chaos.calls import Calls, calling
from tests.chaos.disk import failing_calls, filled, small_disk
from tests.chaos.load import OpenLoad
from tests.chaos.promise import Figure, Promise, none, seconds, told
from tests.chaos.world import MODELS, World, world
from tests.processes import wait_until

DISK = 4 << 20
RATE = 100.0
BACK_S = 50.0
PROBE_S = 0.2
DONE = "done"
GROWTH_MB = 16.0  # of control while nothing can be written

Broken = Callable[[World], AbstractContextManager[None]]


def full(here: World) -> AbstractContextManager[None]:
    return filled(here.store.parent)


def read_only(here: World) -> AbstractContextManager[None]:
    pid, log = here.control.process.pid, here.folder / "strace.log"
    return failing_calls(pid, "pwrite64", "EROFS", log)


def broken(here: World) -> AbstractContextManager[None]:
    pid, log = here.control.process.pid, here.folder / "strace.log"
    return failing_calls(pid, "fsync,fdatasync", "EIO", log)


WAYS: tuple[Broken, ...] = (full, read_only, broken)


def run(folder: Path, *, away: float) -> list[Figure]:
    """Break the disk for `away` seconds in every way, one by one, under load."""
    with small_disk(folder / "store", DISK), world(folder) as here:
        return asyncio.run(_measure(here, away))


async def _measure(here: World, away: float) -> list[Figure]:
    load = OpenLoad(here.url, MODELS, RATE)
    running = asyncio.create_task(load.run())
    figures = []
    for way in WAYS:
        figures += await asyncio.to_thread(_break, here, way, away)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return [
        told("requests, at 100 a second", len(load.samples)),
        none("of them failed", load.failed),
        *figures,
    ]


def _break(here: World, way: Broken, away: float) -> list[Figure]:
    name = way.__name__.replace("_", "-")
    memory = psutil.Process(here.control.process.pid).memory_info
    before = memory().rss
    refused, lies, wrong = 0, 0, []
    with calling(here.control.port()) as calls:
        with way(here):
            until = time.monotonic() + away
            while time.monotonic() < until:
                answer = change(calls)
                refused += answer == StorageUnavailable.code
                if answer == DONE:
                    # True if the host came and went before any of it was written.
                    lies += stored(here, "x")
                elif answer != StorageUnavailable.code:
                    wrong.append(answer)
                time.sleep(PROBE_S)
            grown = (memory().rss - before) / (1 << 20)
        begin = time.monotonic()
        wait_until(lambda: change(calls) == DONE, BACK_S, f"{name}: writes are taken again")
        back = time.monotonic() - begin
    if wrong:
        print(wrong)  # for who looks into the log
    return [
        Figure(f"disk {name}: changes refused with storage_unavailable", refused, at_least=1),
        none(f"disk {name}: changes acknowledged that the disk does not hold", lies),
        none(f"disk {name}: changes that ended in any other way", len(wrong)),
        Figure(f"disk {name}: memory grown", round(grown, 1), "MB", at_most=GROWTH_MB),
        seconds(f"disk {name}: until changes are taken again", back, at_most=5.0),
    ]


def change(calls: Calls) -> str:
    """Ask for a change that is acknowledged only when it is on the disk; return how it ended."""
    try:
        calls.register("x")
        calls.deregister("x")
    except GenieHiveError as error:
        return error.code
    return DONE


def stored(here: World, host_id: str) -> bool:
    """Return whether the database has the host."""
    with closing(sqlite3.connect(f"file:{here.store}?mode=ro", uri=True)) as database:
        found = database.execute("SELECT 1 FROM hosts WHERE host_id = ?", (host_id,))
        return found.fetchone() is not None


PROMISE = Promise(run, short={"away": 0.3}, full={"away": 60.0})
