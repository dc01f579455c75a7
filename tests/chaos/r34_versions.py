"""R34: a watcher never goes back to an older table, and soon holds the one that control has."""

import random
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.chaos import faults
from tests.chaos.faults import Fault
from tests.chaos.following import Follower
from tests.chaos.promise import Figure, Promise, none, seconds, told
from tests.chaos.proxy import FaultProxy, proxying
from tests.chaos.writers import Writers
from tests.fakes.answers import Reset
from tests.processes import Service, spawning, wait_until

WRITERS = 4
PAUSE_S = 0.02
BROKEN_S = (0.1, 0.4)
RESTORE_EVERY = 4  # rounds
PATIENCE_S = 100.0

NETWORKS: tuple[Callable[[random.Random], Fault], ...] = (
    lambda draw: faults.blackhole,
    lambda draw: faults.reset,
    lambda draw: faults.latency(0.02, 0.05, draw.random),
    lambda draw: faults.slicer(draw.randrange(1, 50)),
    lambda draw: faults.cut(draw.randrange(20_000), Reset()),
)


def run(folder: Path, *, rounds: int, seed: int = 34) -> list[Figure]:
    """Break the network in each round, and now and then restore control from a backup."""
    draw = random.Random(seed)
    store = folder / "store" / "geniehive.sqlite3"
    store.parent.mkdir()
    settings = {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(store)},
        "registry": {"grace_s": 1},
    }
    with ExitStack() as stack:
        spawn = stack.enter_context(spawning(folder))
        control = spawn("control", settings)
        broken, sound = (stack.enter_context(proxying(control.port())) for _ in range(2))
        follower = Follower(broken.port)
        stack.enter_context(follower.following())
        restored = 0
        with Writers(sound.port, WRITERS, PAUSE_S).running():
            for number in range(1, rounds + 1):
                if number % RESTORE_EVERY == 0:
                    control = _restore(control, store, lambda: spawn("control", settings))
                    broken.target = sound.target = control.port()
                    restored += 1
                _disturb(broken, draw)
        begin = time.monotonic()
        _wait_for_the_same(follower, control.port())
        took = time.monotonic() - begin
    return [
        told("rounds of a broken network", rounds),
        told("of them with control restored from a backup", restored),
        told("updates followed", follower.updates),
        none("steps back to an older version or an older life", follower.backwards),
        seconds("until the tables are the same, once it is quiet", took, at_most=10.0),
    ]


def _disturb(network: FaultProxy, draw: random.Random) -> None:
    network.fault = draw.choice(NETWORKS)(draw)
    time.sleep(draw.uniform(*BROKEN_S))
    network.fault = faults.clear
    time.sleep(draw.uniform(*BROKEN_S))


def _restore(control: Service, store: Path, start: Callable[[], Service]) -> Service:
    """Kill control and start it on what its store was at the last call; back that up anew."""
    control.kill()
    backup, now = store.parent.with_name("backup"), store.parent.with_name("now")
    shutil.rmtree(now, ignore_errors=True)
    shutil.copytree(store.parent, now)
    if backup.exists():
        shutil.rmtree(store.parent)
        shutil.copytree(backup, store.parent)
        shutil.rmtree(backup)
    now.rename(backup)
    return start()


def _wait_for_the_same(follower: Follower, port: int) -> None:
    fresh = Follower(port)
    with fresh.following():
        wait_until(
            lambda: fresh.updates > 0 and fresh.state == follower.state,
            PATIENCE_S,
            "the watcher holds what a new one is given",
        )


PROMISE = Promise(run, short={"rounds": 5}, full={"rounds": 400})
