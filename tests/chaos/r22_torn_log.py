"""R22: whatever is left of the write-ahead log, the database is a state that was."""

import asyncio
import random
import shutil
from pathlib import Path

from control.inventory import Host
from control.store import hosts
from control.store.hosts import StoredHost
from control.store.opening import StoreError, open_store
from tests.chaos.promise import Figure, Promise, all_of, none, told

COMMITS = 60


def run(folder: Path, *, copies: int, seed: int = 22) -> list[Figure]:
    """Open `copies` of a store whose log was truncated, and as many with a bit flipped."""
    draw = random.Random(seed)
    original = folder / "original"
    log = _written(original)
    prefixes = detected = flipped = 0
    for number in range(2 * copies):
        torn = number < copies
        copy = folder / "copy"
        shutil.copytree(original, copy)
        (copy / log.name).write_bytes(_hurt(log.read_bytes(), draw, torn=torn))
        found = _held(copy)
        shutil.rmtree(copy)
        good = found is not None and found == list(range(len(found)))
        if torn:
            prefixes += good
        else:
            flipped += good
            detected += found is None
    return [
        told("commits in the log", COMMITS),
        all_of("truncated logs that open as a prefix", prefixes, copies),
        told("logs with a flipped bit that open as a prefix", flipped),
        told("of those, refused with one line", detected),
        none("logs with a flipped bit that open as something else", copies - flipped - detected),
    ]


def _written(folder: Path) -> Path:
    """Commit one host after the other; leave the files as a crash would, and return the log."""
    store = open_store(folder / "live" / "geniehive.sqlite3")

    async def commit() -> None:
        for number in range(COMMITS):
            one = StoredHost(Host(f"h{number}"), number, 0.0)
            await store.writer.run(hosts.save, [one], [])

    asyncio.run(commit())
    # Closing would empty the log.
    for file in (folder / "live").glob("geniehive.sqlite3*"):
        shutil.copy(file, folder)
    store.close()
    shutil.rmtree(folder / "live")
    return folder / "geniehive.sqlite3-wal"


def _hurt(log: bytes, draw: random.Random, *, torn: bool) -> bytes:
    at = draw.randrange(len(log))
    if torn:
        return log[:at]
    return log[:at] + bytes([log[at] ^ 1 << draw.randrange(8)]) + log[at + 1 :]


def _held(folder: Path) -> list[int] | None:
    """Return the numbers of the hosts in a store, in order; nothing when it is refused."""
    # The index of the log is made anew after a crash of the machine.
    (folder / "geniehive.sqlite3-shm").unlink(missing_ok=True)
    try:
        store = open_store(folder / "geniehive.sqlite3")
    except StoreError:
        return None
    found = sorted(one.generation for one in store.hosts)
    store.close()
    return found


PROMISE = Promise(run, short={"copies": 50}, full={"copies": 1_000})
