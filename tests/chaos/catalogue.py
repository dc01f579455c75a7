"""Every promise by its number: what it says, and the module that measures it or why none does."""

import importlib
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.promise import Promise

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Entry:
    """One promise.

    later: what it waits for, when there is nothing to measure yet.
    leaves: what its run does not show yet.
    """

    number: int
    title: str
    later: str = ""
    leaves: str = ""

    @property
    def name(self) -> str:
        return f"R{self.number}"

    @property
    def module(self) -> str:
        """The module `rNN_….py` that measures it; empty when there is none."""
        return next((path.stem for path in HERE.glob(f"r{self.number:02}_*.py")), "")

    def promise(self) -> Promise:
        """Return how it is measured; only for one with a module."""
        promise: Promise = importlib.import_module(f"tests.chaos.{self.module}").PROMISE
        return promise


FAILOVER = "comes with failover, breakers and overload protection"
KEYS = "comes with keys that have a name"
MONEY = "comes with budgets"

PROMISES = (
    Entry(1, "Control away does not hurt clients", leaves="keys that have a name"),
    Entry(2, "A gateway starts while control is away"),
    Entry(3, "One of three engines dies under load"),
    Entry(4, "A hung engine is bounded and taken out"),
    Entry(5, "Nothing is retried after a byte reached the client"),
    Entry(6, "Retries do not amplify an outage"),
    Entry(7, "One deadline covers all attempts"),
    Entry(8, "Mistakes of clients never open a breaker"),
    Entry(9, "Breakers always recover"),
    Entry(10, "A client that leaves frees its engine", leaves="uploads in several parts"),
    Entry(11, "Counters of what is in flight return to zero", leaves="reservations of budgets"),
    Entry(12, "Connections to engines cannot wedge"),
    Entry(13, "A stalled stream ends"),
    Entry(14, "The bytes of a stream pass unchanged"),
    Entry(15, "Overload is shed, not a collapse"),
    Entry(16, "Slow readers hurt nobody else"),
    Entry(17, "The event loop is never held up"),
    Entry(18, "A gateway stops cleanly"),
    Entry(19, "An engine that returns is ramped up"),
    Entry(20, "What control acknowledged survives a crash", leaves="keys, budgets, audit rows"),
    Entry(21, "The history of every key can be explained", KEYS),
    Entry(22, "A torn write-ahead log is a prefix"),
    Entry(23, "A disk that is full, read-only or broken is survived"),
    Entry(24, "Nobody is told that the database is locked"),
    Entry(25, "The write-ahead log stays small"),
    Entry(26, "A dead node leaves fast, a living one never falsely"),
    Entry(27, "Losing most hosts at once means being cut off oneself"),
    Entry(28, "A restart of control is no storm"),
    Entry(29, "Heartbeats cost the same for any fleet"),
    Entry(30, "Flapping is damped"),
    Entry(31, "Clocks that are wrong do no harm"),
    Entry(32, "A host id has one owner"),
    Entry(33, "A bad route table is refused and the good one stays"),
    Entry(34, "Versions never go backwards"),
    Entry(35, "Revoking a key is fast everywhere", KEYS),
    Entry(36, "Budgets hold under concurrency", MONEY),
    Entry(37, "Our own fault is never reported as the client's", KEYS),
    Entry(38, "Nothing leaks", leaves="streams that idle for a day"),
    Entry(
        39,
        "Secrets and content are never recorded",
        leaves="the audit log, keys of providers",
    ),
    Entry(40, "The number of metric series is bounded"),
    Entry(41, "Certificates rotate while serving", "comes with certificates of our own"),
    Entry(42, "A backup restores", "comes with backups"),
    Entry(43, "An engine on loopback of another host serves, and a cut link is survived"),
    Entry(44, "A relay frees engines, opens nothing else and costs little"),
    Entry(45, "A bad engine delays no heartbeat and hides no other"),
    Entry(46, "A node costs little"),
    Entry(47, "Clients that leave while they wait leave nothing behind"),
    Entry(48, "A worker that dies takes no other's place along"),
    Entry(49, "Who waits for a service that goes is served elsewhere, or told at once"),
    Entry(50, "A full waiting room holds up nobody"),
)
BY_NAME = {entry.name: entry for entry in PROMISES}
