"""The one database file and the one thread that writes to it.

One writer means that no statement ever waits for a lock. It also keeps us away
from SQLite's WAL-reset bug (3.7.0 to 3.51.2), which needs two connections that
write or checkpoint at the same time.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar, cast

import peewee

from control.api.errors import StorageUnavailable

P = ParamSpec("P")
T = TypeVar("T")

MAX_WAITING = 1_000  # jobs; above that the disk is too slow for what is asked of it
MAX_GROUP = 128  # jobs in one commit
CLOSE_S = 1.0
SAFE_SQLITE = (3, 51, 3)

PRAGMAS: dict[str, object] = {
    "journal_mode": "wal",
    "synchronous": "full",  # what was acknowledged survives a power cut
    "busy_timeout": 5_000,
    "foreign_keys": 1,
    "wal_autocheckpoint": 1_000,
    "journal_size_limit": 4 << 20,  # what a long reader made grow is given back
    "cache_size": -16_000,
    "temp_store": "memory",
    "trusted_schema": 0,
    "cell_size_check": 1,
    "mmap_size": 0,
}

log = logging.getLogger(__name__)

# Statements that bypass the models raise the library's own.
STORAGE_ERRORS = (peewee.DatabaseError, sqlite3.Error)

# Named by `opening.open_store`; models need to know their database when they are defined.
database = peewee.SqliteDatabase(None)


def begin_write() -> peewee._atomic:
    """Return a context that holds a writing transaction.

    A transaction that begins as a reader and then writes fails at once when
    another writer came between, whatever `busy_timeout` says; so we never do.
    """
    return database.atomic("IMMEDIATE")


def sqlite_warning() -> str | None:
    """Return what is to be said about the SQLite library in use, or None."""
    if sqlite3.sqlite_version_info >= SAFE_SQLITE:
        return None
    return (
        f"SQLite {sqlite3.sqlite_version} has the WAL-reset bug, which one writer avoids;"
        " open the database with no other program while control runs"
    )


@dataclass(slots=True)
class _Job:
    work: Callable[[], object]
    outcome: Future[object] = field(default_factory=Future)


class Writer:
    """Runs store functions in transactions on one thread, several in one commit.

    A job that fails is undone alone, by its savepoint. Each is acknowledged after
    the commit that holds it.
    """

    def __init__(self) -> None:
        self.transactions = 0  # committed so far
        self.failures = 0  # not committed, because the disk did not take them
        self._jobs: queue.Queue[_Job | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` in a transaction and return its result once that is committed.

        Raises:
            StorageUnavailable: the disk did not take it, or too much waits for the disk.
        """
        job = _Job(partial(fn, *args, **kwargs))
        try:
            self._jobs.put_nowait(job)
        except queue.Full as error:
            raise StorageUnavailable("the database is too slow; try again") from error
        return cast(T, await asyncio.wrap_future(job.outcome))

    def close(self, patience: float = CLOSE_S) -> None:
        """Finish what waits, then end the thread and its connection.

        patience: seconds; a database that does not answer by then ends with the process.
        """
        with contextlib.suppress(queue.Full):
            self._jobs.put(None, timeout=patience)
            self._thread.join(patience)
        if self._thread.is_alive():
            log.error("the database does not answer; what it has not taken is lost")

    def _run(self) -> None:
        open_ = True
        while open_:
            group = [self._jobs.get()]
            while len(group) < MAX_GROUP and not self._jobs.empty():
                group.append(self._jobs.get_nowait())
            open_ = None not in group
            self._commit([job for job in group if job is not None])
        database.close()

    def _commit(self, jobs: list[_Job]) -> None:
        outcomes: list[tuple[_Job, object, BaseException | None]] = []
        try:
            with begin_write():
                outcomes = [_attempt(job) for job in jobs]
            self.transactions += 1
        except STORAGE_ERRORS as error:
            self.failures += 1
            failure = unavailable(error)
            outcomes = [(job, None, failure) for job in jobs]
        for job, result, problem in outcomes:
            # A caller that went away cancelled its future; its work is done all the same.
            if not job.outcome.set_running_or_notify_cancel():
                continue
            if problem is None:
                job.outcome.set_result(result)
            else:
                job.outcome.set_exception(problem)


def _attempt(job: _Job) -> tuple[_Job, object, BaseException | None]:
    try:
        with database.atomic():
            return job, job.work(), None
    except STORAGE_ERRORS as error:
        if not database.connection().in_transaction:
            raise  # SQLite undid the whole group, for instance when the disk was full
        return job, None, unavailable(error)
    except Exception as error:  # noqa: BLE001  # whatever it is belongs to the caller of this job
        return job, None, error


def unavailable(error: BaseException) -> StorageUnavailable:
    """Return the error that callers see for one of the database."""
    # A failure often ends in a second one, of the rollback, which explains nothing.
    while isinstance(error.__context__, STORAGE_ERRORS):
        error = error.__context__
    failure = StorageUnavailable(f"the database does not take changes now: {error}")
    failure.__cause__ = error
    return failure
