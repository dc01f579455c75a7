"""R26: a node that dies is out of the table soon, and none is that lives."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.promise import Figure, Promise, none, seconds, told
from tests.chaos.world import World, world
from tests.processes import wait_until

INTERVAL_S = 0.5
LEASE_S = 3 * INTERVAL_S
LIVING = ("h0",)  # what nobody touches
VICTIM = "victim"
PATIENCE_S = 60.0
AFTER_S = LEASE_S + 0.5


def run(folder: Path, *, kills: int, frozen: float, busy: float) -> list[Figure]:
    """Kill a node `kills` times; freeze control, then take its processor, for so many seconds."""
    with world(folder, hosts=len(LIVING), heartbeat_interval_s=INTERVAL_S) as here:
        took = [_kill_a_node(here) for _ in range(kills)]
        by_kills = _lost(here)
        with here.control.frozen():
            time.sleep(frozen)
        time.sleep(AFTER_S)
        by_freeze = _lost(here) - by_kills
        with spinning():
            time.sleep(busy)
        by_load = _lost(here) - by_kills - by_freeze
    return [
        told("nodes killed", kills),
        seconds("slowest to leave, lease and all", max(took), at_most=LEASE_S + 1),
        none("living nodes lost while others died", by_kills),
        none(f"living nodes lost after control stood still for {frozen:g} s", by_freeze),
        none(f"living nodes lost while control had no processor for {busy:g} s", by_load),
    ]


def _kill_a_node(here: World) -> float:
    """Return the seconds from the death of a node until control counts it no more."""
    node = here.start_node(VICTIM)
    wait_until(lambda: _online(here) == len(LIVING) + 1, PATIENCE_S, "the node is registered")
    node.kill()
    begin = time.monotonic()
    wait_until(lambda: _online(here) == len(LIVING), PATIENCE_S, "the dead node is noticed")
    return time.monotonic() - begin


def _online(here: World) -> int:
    return int(here.health().online_host_count)


def _lost(here: World) -> int:
    """Return how often the log says that a living node was lost."""
    logged = here.control.logged()
    return sum(logged.count(f"host {one} is lost") for one in LIVING)


@contextmanager
def spinning() -> Iterator[None]:
    """Keep every processor busy."""
    command = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


PROMISE = Promise(
    run,
    short={"kills": 1, "frozen": 2.0, "busy": 1.0},
    full={"kills": 50, "frozen": 60.0, "busy": 120.0},
)
