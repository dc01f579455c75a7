"""R20: what control acknowledged is there after SIGKILL, and nothing is there by half."""

import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from control.api.errors import GenieHiveError
from tests.chaos.calls import Calls, calling, service
from tests.chaos.promise import Figure, Promise, all_of, none, seconds, told
from tests.processes import Service, spawning

WRITERS = 8
SERVICES = ("a", "b")  # of every host, so that half of one can be seen
ENGINE = "127.0.0.1:9"
READY_S = 3.0
# Nobody beats here, and nobody is to be given up for that.
REGISTRY = {"heartbeat_interval_s": 300, "grace_s": 3600}


@dataclass(slots=True)
class Journal:
    """What one writer asked for and what was acknowledged; hosts are its own.

    `there` holds the state after the last acknowledged change of each host, `open` the
    change that was asked for and not acknowledged.
    """

    there: dict[str, bool] = field(default_factory=dict)
    open: dict[str, bool] = field(default_factory=dict)
    acknowledged: int = 0

    def ask(self, host_id: str, there: bool) -> None:
        self.open[host_id] = there

    def acknowledge(self, host_id: str) -> None:
        self.there[host_id] = self.open.pop(host_id)
        self.acknowledged += 1

    def settle(self, found: Mapping[str, int]) -> None:
        """Go on from what was found: what was open is decided now."""
        for host_id in self.open:
            self.there[host_id] = host_id in found
        self.open.clear()


def lost(journal: Journal, found: Mapping[str, int]) -> list[str]:
    """Return the hosts that are not as acknowledged; `found`: services by host."""
    return [
        host_id
        for host_id, there in journal.there.items()
        if (host_id in found) != there and journal.open.get(host_id) != (host_id in found)
    ]


def halves(found: Mapping[str, int]) -> list[str]:
    """Return the hosts without all of their services."""
    return [host_id for host_id, count in found.items() if count != len(SERVICES)]


def write(port: int, name: str, journal: Journal, draw: random.Random) -> None:
    """Register and remove hosts until control is gone."""
    number = len(journal.there)
    with calling(port) as calls, suppress(GenieHiveError):
        while True:
            mine = [host_id for host_id, there in journal.there.items() if there]
            if mine and draw.random() < 0.4:
                host_id = draw.choice(mine)
                journal.ask(host_id, False)
                calls.deregister(host_id)
            else:
                host_id = draw.choice(mine) if mine and draw.random() < 0.3 else f"{name}-{number}"
                number += 1
                journal.ask(host_id, True)
                register(calls, host_id)
            journal.acknowledge(host_id)


def register(calls: Calls, host_id: str) -> None:
    calls.register(host_id, [service(f"{host_id}/{one}", ENGINE, ["m"]) for one in SERVICES])


def run(folder: Path, *, kills: int, seed: int = 20) -> list[Figure]:
    """Kill control `kills` times while eight writers register and remove hosts."""
    draw = random.Random(seed)
    journals = [Journal() for _ in range(WRITERS)]
    gone: set[str] = set()
    broken: set[str] = set()
    sound = 0
    starts = []
    store = folder / "geniehive.sqlite3"
    settings = {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(store)},
        "registry": REGISTRY,
    }
    with spawning(folder) as spawn:
        control = spawn("control", settings)
        for number in range(kills):
            _write_and_kill(control, journals, draw, number)
            sound += integrity(store, folder / "copy")
            begin = time.monotonic()
            control = spawn("control", settings)
            port = control.port()
            starts.append(time.monotonic() - begin)
            found = what_is_there(port)
            broken.update(halves(found))
            for journal in journals:
                gone.update(lost(journal, found))
                journal.settle(found)
    return [
        told("changes acknowledged", sum(one.acknowledged for one in journals)),
        told("kills, at any moment, with 8 writers", kills),
        none("acknowledged changes lost", len(gone)),
        none("changes there by half", len(broken)),
        all_of("databases that are sound", sound, kills),
        seconds("slowest start after a kill", max(starts), at_most=READY_S),
    ]


def _write_and_kill(
    control: Service, journals: Iterable[Journal], draw: random.Random, life: int
) -> None:
    """Let all writers write, kill control in the middle of it, and wait for them."""
    port = control.port()
    threads = [
        threading.Thread(
            target=write, args=(port, f"w{n}-{life}", journal, random.Random(draw.random()))
        )
        for n, journal in enumerate(journals)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.2 + 0.5 * draw.random())
    control.kill()
    for thread in threads:
        thread.join()


def integrity(store: Path, copy: Path) -> bool:
    """Return whether the files that a crash left are a sound database."""
    copy.mkdir(exist_ok=True)
    for file in store.parent.glob(f"{store.name}*"):
        shutil.copy(file, copy)
    with closing(sqlite3.connect(copy / store.name)) as database:
        return database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def what_is_there(port: int) -> dict[str, int]:
    """Return how many services every host has."""
    with calling(port) as calls:
        found = {host.host_id: 0 for host in calls.hosts()}
        for one in calls.services():
            found[one.service_id.partition("/")[0]] += 1
    return found


PROMISE = Promise(run, short={"kills": 3}, full={"kills": 50})
