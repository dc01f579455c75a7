"""R31: clocks that are wrong, on nodes or on control, change nothing."""

import os
import sys
import time
from pathlib import Path

from tests.chaos.promise import Figure, Promise, none, told
from tests.chaos.world import World, world
from tests.processes import wait_until

HOUR, YEAR = 3_600, 31_536_000
INTERVAL_S = 0.5
PATIENCE_S = 60.0
WRONG = {
    "an hour behind": ("--wall", f"-{HOUR}"),
    "an hour ahead": ("--wall", f"{HOUR}"),
    "a year behind": ("--wall", f"-{YEAR}"),
    "a year ahead": ("--wall", f"{YEAR}"),
    "jumping by an hour": ("--wall", f"{HOUR}", "--jump"),
}
MONOTONIC = {"a monotonic clock a year ahead": ("--monotonic", f"{YEAR}")}
OF_CONTROL = ("an hour behind", "jumping by an hour")


def run(folder: Path, *, duration: float, controls: int, nodes: int) -> list[Figure]:
    """Watch up to `nodes` nodes with wrong clocks under `controls` controls with wrong ones."""
    figures = []
    for number, how in enumerate(OF_CONTROL[:controls]):
        here = folder / str(number)
        here.mkdir()
        figures += _watch(here, how, duration, nodes)
    return figures


def _watch(folder: Path, how: str, duration: float, nodes: int) -> list[Figure]:
    every = (MONOTONIC if may_move_monotonic() else {}) | WRONG
    wrong = dict(list(every.items())[:nodes])
    with world(folder, clocks=WRONG[how], heartbeat_interval_s=INTERVAL_S) as here:
        for number, clocks in enumerate(wrong.values()):
            here.start_node(f"wrong-{number}", *clocks)
        wait_until(
            lambda: here.health().online_host_count == len(wrong) + 1, PATIENCE_S, "all are there"
        )
        wait_until(lambda: here.health().settled, PATIENCE_S, "settled")
        before = _state(here)
        time.sleep(duration)
        after = _state(here)
        lost = here.control.logged().count("is lost")
    what = f"control {how}"
    return [
        told(f"{what}: nodes with wrong clocks", len(wrong)),
        told(f"{what}: seconds watched", duration),
        none(f"{what}: changes of the route table", after[0] - before[0]),
        none(f"{what}: hosts that came or went", abs(after[1] - before[1]) + lost),
    ]


def _state(here: World) -> tuple[int, int]:
    health = here.health()
    return health.route_version, health.online_host_count


def may_move_monotonic() -> bool:
    """Return whether time namespaces can be made: by root, where Linux has them."""
    return sys.platform == "linux" and os.geteuid() == 0 and Path("/proc/self/ns/time").exists()


PROMISE = Promise(
    run,
    short={"duration": 1.0, "controls": 1, "nodes": 2},
    full={"duration": 120.0, "controls": 2, "nodes": 6},
)
