"""From a path to an open store, or one line that says why not."""

import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import msgspec

from control.benchmarks.samples import KeptRun, kept_run
from control.drains import Drain
from control.measured import MAX_SHOWN, shown_days
from control.store import benchmarks, drains, hosts, schema, usage
from control.store.database import PRAGMAS, STORAGE_ERRORS, Writer, database
from control.store.hosts import StoredHost
from control.store.schema import MetaRow


class StoreError(Exception):
    """The store cannot be used. The message is one line."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open store, and what it held when it was opened."""

    store_id: str
    key_hash_secret: bytes = field(repr=False)
    hosts: list[StoredHost]
    usage: usage.Totals  # of the days that are shown
    runs: list[KeptRun]  # of benchmarks
    drains: list[Drain]
    writer: Writer
    _lock: TextIO

    def close(self) -> None:
        """Write what waits, within a moment, close the file and let others open it."""
        self.writer.close()
        self._lock.close()


def open_store(
    path: Path, busy_timeout_ms: int = 5_000, wall_time: Callable[[], float] = time.time
) -> Store:
    """Open the store at `path`, made when it is not there, and bring its schema up to date.

    busy_timeout_ms: how long to wait for another program's lock. wall_time: now, in
    seconds since 1970.

    Raises:
        StoreError: the file is in use, unusable, or not a database of ours.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(path)
    except OSError as error:
        raise StoreError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    try:
        return _open(path, busy_timeout_ms, wall_time(), lock)
    except BaseException:
        lock.close()
        raise


def _lock(path: Path) -> TextIO:
    """Take the right to be the only control on `path`; it ends with the process."""
    # A file of its own: closing a second handle of the database would drop SQLite's locks.
    lock = open(os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+")  # noqa: SIM115  # held as long as the store is
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = lock.read(20).strip() or "unknown"
        lock.close()
        raise StoreError(f"{path}: another control uses it (pid {pid})") from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _open(path: Path, busy_timeout_ms: int, now: float, lock: TextIO) -> Store:
    try:
        # SQLite would make the file readable by others.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        database.init(str(path), pragmas={**PRAGMAS, "busy_timeout": busy_timeout_ms})
        try:
            with database.connection_context():
                schema.migrate()
                meta = {row.key: row.value for row in MetaRow.select()}
                stored = hosts.load()
                totals = usage.totals(shown_days(now), MAX_SHOWN)
                runs = [kept_run(one) for one in benchmarks.load()]
                drained = drains.load()
        finally:
            database.close()
        return Store(
            store_id=meta["store_id"],
            key_hash_secret=bytes.fromhex(meta["key_hash_secret"]),
            hosts=stored,
            usage=totals,
            runs=runs,
            drains=drained,
            writer=Writer(),
            _lock=lock,
        )
    except OSError as error:
        raise StoreError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except schema.SchemaError as error:
        raise StoreError(f"{path}: {error}") from error
    except STORAGE_ERRORS as error:
        locked = "locked" in str(error)
        raise StoreError(f"{path}: {'locked by another program' if locked else error}") from error
    except (KeyError, ValueError, msgspec.DecodeError) as error:
        raise StoreError(f"{path}: holds an entry that cannot be read: {error}") from error
