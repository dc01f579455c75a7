"""The parts of a fleet: processes of nodes, a gateway's table, and who has which core."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from bench.fleet_control import end, tethered
from bench.fleet_figures import Plan
from bench.nodes import Crew, Node, living
from bench.watcher import Watcher


@contextlib.asynccontextmanager
async def running(
    plan: Plan, folder: Path, address: str
) -> AsyncIterator[tuple[list[subprocess.Popen[bytes]], Sequence[Node]]]:
    """Run all nodes; yield the processes, and the nodes that are in this one.

    The latter are those that will change, so that one clock times both ends of a change.
    """
    here = min(plan.changes, plan.nodes)
    crews = [
        Crew(
            address,
            folder / "board",
            plan.nodes,
            first,
            last,
            plan.services,
            plan.per_channel,
            plan.mixed,
        )
        for first, last in [(0, here - 1), *_parts(here, plan.nodes, plan.processes)]
    ]
    loaders = [tethered(["bench.nodes", *_arguments(one)], folder / "log") for one in crews[1:]]
    try:
        async with living(crews[0]) as probes:
            yield loaders, probes
    finally:
        for process in loaders:
            end(process)


@contextlib.asynccontextmanager
async def following(address: str) -> AsyncIterator[Watcher]:
    """Yield a gateway's table that follows the control at `address`."""
    watcher = Watcher()
    task = asyncio.create_task(watcher.follow(address))
    try:
        yield watcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def divided() -> Iterator[set[int]]:
    """Yield the core that is left to control; this process and the nodes take the others."""
    cores = os.sched_getaffinity(0)
    one = {max(cores)}
    os.sched_setaffinity(0, cores - one or cores)
    try:
        yield one
    finally:
        os.sched_setaffinity(0, cores)


def _parts(first: int, end: int, count: int) -> list[tuple[int, int]]:
    """Return first and last of `count` about equal parts of `first` to `end`, end excluded."""
    cuts = [first + (end - first) * part // count for part in range(count + 1)]
    return [(low, high - 1) for low, high in pairwise(cuts) if low < high]


def _arguments(crew: Crew) -> list[str]:
    numbers = (crew.nodes, crew.first, crew.last, crew.services, crew.per_channel, crew.mixed)
    return [crew.address, str(crew.board), *(str(int(one)) for one in numbers)]
