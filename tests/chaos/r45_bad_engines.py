"""R45: engines that hang, die, lie or babble delay no heartbeat and hide no other engine."""

import asyncio
import re
from pathlib import Path
from typing import Any

import yaml
from geniehive.v1 import inventory_pb2 as inventory

from bench.processes import usage
from tests.chaos.bad_engines import KINDS
from tests.chaos.engines import Mortal, fakes, mortals
from tests.chaos.metronome import Beats, metronome
from tests.chaos.promise import Figure, Promise, all_of, milliseconds, none, quantile, told
from tests.processes import START_SECONDS, Service, stop_all

GOOD = 3
LATE_MS = 100.0
LOOKED_S = 5.0  # until a node has seen an engine that dies or returns
BAD = re.compile(r"^(\w+) at (\d+)$", re.MULTILINE)


def run(folder: Path, *, interval: float, seconds: float) -> list[Figure]:
    """Let a node watch good engines alone, and then among bad ones, for `seconds` each.

    interval: between heartbeats, in seconds.
    """
    bad = Service(["tests.chaos.bad_engines"], folder / "bad.log")
    try:
        bad.wait_for_log(re.compile("all listen"))
        ports = {name: int(port) for name, port in BAD.findall(bad.logged())}
        with mortals(*fakes(folder, GOOD)) as good:
            alone = asyncio.run(_watched(folder, good, {}, interval, seconds))
            among = asyncio.run(_watched(folder, good, ports, interval, seconds))
    finally:
        bad.kill()  # it is busy with answers that have no end
    return [
        told("kinds of bad engines", len(KINDS)),
        *_figures("good engines alone", alone),
        *_figures("among bad ones", among),
    ]


def _figures(what: str, found: tuple[Beats, float, int]) -> list[Figure]:
    beats, cores, missed = found
    late = beats.late()
    good = [f"h/good-{number}" for number in range(1, GOOD)]
    seen = sum(_healthy(one, beat) for beat in beats.seen[1:] for one in good)
    return [
        told(f"{what}: heartbeats", len(beats.at)),
        milliseconds(f"{what}: a beat is late, p99", quantile(late, 0.99), at_most=LATE_MS),
        milliseconds(f"{what}: a beat is late, at most", max(late)),
        all_of(f"{what}: good engines are healthy", seen, (len(beats.seen) - 1) * len(good)),
        none(f"{what}: deaths and returns that were not told", missed),
        told(f"{what}: CPU of the node", round(cores, 3), "cores"),
    ]


def _healthy(service_id: str, beat: dict[str, Any]) -> bool:
    return service_id in beat and beat[service_id].health == inventory.HEALTH_HEALTHY


async def _watched(
    folder: Path, good: list[Mortal], bad: dict[str, int], interval: float, seconds: float
) -> tuple[Beats, float, int]:
    """Return what came of a node, how many cores it used, and how many changes it missed."""
    endpoints = {f"good-{number}": one.port for number, one in enumerate(good)} | bad
    services = [
        {"service_id": name, "endpoint": f"http://127.0.0.1:{port}"}
        for name, port in endpoints.items()
    ]
    async with metronome(interval) as beats:
        path = folder / f"node-{len(services)}.yaml"
        settings = {"control": beats.address, "node": {"host_id": "h"}, "services": services}
        path.write_text(yaml.safe_dump(settings))
        node = await asyncio.to_thread(
            Service, ["node", "--config", str(path)], path.with_suffix(".log")
        )
        try:
            await _until(lambda: len(beats.at) > 1, START_SECONDS)
            before = usage([node.process.pid]).cpu_ns
            await asyncio.sleep(seconds)
            used = usage([node.process.pid]).cpu_ns - before
            missed = await _one_dies_and_returns(good[0], beats)
        finally:
            await asyncio.to_thread(stop_all, [node])
    return beats, used / seconds / 1e9, missed


async def _one_dies_and_returns(one: Mortal, beats: Beats) -> int:
    """Return how many of both were not told in time."""
    missed = 0
    for change, healthy in ((one.kill, False), (one.revive, True)):
        await asyncio.to_thread(change)
        # Ten times the goal, for a busy machine.
        missed += not await _until(
            lambda: _healthy("h/good-0", beats.seen[-1]) is healthy,  # noqa: B023
            10 * LOOKED_S,
        )
    return missed


async def _until(fact: Any, seconds: float) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds
    while not fact():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


PROMISE = Promise(
    run,
    short={"interval": 0.25, "seconds": 2.0},
    full={"interval": 0.25, "seconds": 50.0},
)
