"""R32: a host id has one owner at a time, and an owner of the past is refused."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from control.api.errors import GenieHiveError, HostIdInUse, LeaseLost
from tests.chaos.calls import Calls, calling, service
from tests.chaos.promise import Figure, Promise, all_of, none, told
from tests.processes import spawning

HOST = "contested"
SERVICE = f"{HOST}/s"
OFFERED = [service(SERVICE, "127.0.0.1:9", ["m"])]
INTERVAL_S = 0.5
LEASE_S = 3 * INTERVAL_S
QUIET_S = 2.0  # after which the owner no longer changes


@dataclass(slots=True)
class Agent:
    """A node that wants the host id for itself, and comes back whatever it is told."""

    instance_id: str
    port: int
    over: threading.Event

    def run(self) -> None:
        lease, sequence = None, 0
        with calling(self.port) as calls:
            while not self.over.wait(INTERVAL_S / 3):
                try:
                    if lease is None:
                        lease = calls.register(HOST, OFFERED, self.instance_id)
                        sequence = 0
                    sequence += 1
                    calls.beat(lease, sequence, [SERVICE])
                except GenieHiveError:
                    lease = None


def run(folder: Path, *, trials: int, contest: float) -> list[Figure]:
    """Take a host over `trials` times, then let two agents fight for `contest` seconds."""
    settings = {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
        "registry": {"heartbeat_interval_s": INTERVAL_S},
    }
    refused = stale = 0
    with spawning(folder) as spawn:
        port = spawn("control", settings).port()
        with calling(port) as calls:
            for number in range(trials):
                held = calls.register(HOST, OFFERED, f"first-{number}")
                refused += _refused(calls, f"second-{number}")
                time.sleep(LEASE_S + INTERVAL_S)
                calls.register(HOST, OFFERED, f"second-{number}")
                refused += _refused(calls, f"first-{number}")
                stale += _stale(calls, held)
                calls.deregister(HOST)
            changes = _fight(port, calls, contest)
    return [
        all_of("second instances refused while the first one lives", refused, 2 * trials),
        all_of("beats of an owner of the past refused", stale, trials),
        told("seconds that two instances fought for one id", contest),
        none(f"changes of the owner after {QUIET_S:g} s", changes),
    ]


def _refused(calls: Calls, instance_id: str) -> bool:
    try:
        calls.register(HOST, OFFERED, instance_id)
    except HostIdInUse:
        return True
    return False


def _stale(calls: Calls, lease: object) -> bool:
    try:
        calls.beat(lease, 1_000, [SERVICE])
    except LeaseLost:
        return True
    return False


def _fight(port: int, calls: Calls, duration: float) -> int:
    """Return how often the host changed hands after the first moments."""
    over = threading.Event()
    threads = [threading.Thread(target=Agent(one, port, over).run) for one in ("left", "right")]
    for thread in threads:
        thread.start()
    try:
        time.sleep(QUIET_S)
        before = calls.hosts()[0].generation
        time.sleep(duration)
        return int(calls.hosts()[0].generation - before)
    finally:
        over.set()
        for thread in threads:
            thread.join()


PROMISE = Promise(run, short={"trials": 1, "contest": 0.5}, full={"trials": 50, "contest": 120.0})
