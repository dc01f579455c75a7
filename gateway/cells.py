"""How busy services are, as the workers of one gateway count it: memory that they share.

A table with a row for each service and a column for each worker. Only the worker itself
writes into its column, so that no count is ever lost between two writers; when it dies,
the parent clears the column, and when it is frozen, the counts in it.
"""

import fcntl
import hashlib
import logging
import mmap
import os
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Self
from weakref import WeakValueDictionary

from gateway.slots import anonymous_file

log = logging.getLogger(__name__)

ROWS = 1 << 15  # services; memory is used only for rows that are
WINDOW = 64  # rows after its first that a service may get
NAME_BYTES = 16  # of the digest that stands for a service id
PATIENCE_SECONDS = 0.05  # for a sibling that is looking for a row; it takes microseconds

# What a worker adds to its count in a row for as long as it uses the row.
HELD = 1 << 32
COUNT = HELD - 1
MAX_PENDING_S = 1e6  # more of it is as good as this
_WORD = 8
_TABLES = 4  # counts, pending prompts, and what control was told of each
_UNUSED = bytes(NAME_BYTES)


class Busy(NamedTuple):
    """What one worker has to do at a service.

    pending_s: seconds of prompts that it has sent and that are not read yet. waiting: requests
    that wait for the service.
    """

    in_flight: int = 0
    pending_s: float = 0.0
    waiting: int = 0


_IDLE = Busy()


def microseconds(seconds: float) -> int:
    """Return a time as cells have it: sums of whole numbers come back to 0."""
    return int(min(max(0.0, seconds), MAX_PENDING_S) * 1e6)  # in this order, NaN is 0


class Cell:
    """One row, as one worker uses it. The row is given back with the last reference."""

    __slots__ = ("__weakref__", "_told", "_told_pending", "mine", "pending", "row")

    def __init__(self, rows: Sequence[memoryview], mine: int) -> None:
        """rows: of each table, in their order."""
        # `sum(row) & COUNT` is what all workers have in flight; `pending`, of prompts that are
        # not read yet, is in microseconds.
        self.row, self.pending, self._told, self._told_pending = rows
        self.mine = mine  # where in it this worker writes `HELD` + what it has in flight
        self.pending[mine] = 0
        self.row[mine] = HELD

    def __del__(self) -> None:
        self.row[self.mine] = self.pending[self.mine] = 0
        self._told[self.mine] = self._told_pending[self.mine] = 0

    def count(self, busy: Busy) -> None:
        """Count what this worker has there, whatever became of what it counted before."""
        self.row[self.mine] = HELD + busy.in_flight
        self.pending[self.mine] = microseconds(busy.pending_s)

    def tell(self, busy: Busy) -> None:
        """Note what control may think that this worker has there."""
        self._told[self.mine] = busy.in_flight
        self._told_pending[self.mine] = microseconds(busy.pending_s)

    @property
    def told_by_siblings(self) -> int:
        """What control may think that the other workers have in flight."""
        told: int = sum(self._told) - self._told[self.mine]
        return told

    @property
    def pending_told_by_siblings(self) -> int:
        """What control may think that the other workers have pending, in microseconds."""
        told: int = sum(self._told_pending) - self._told_pending[self.mine]
        return told


class Cells:
    """The table. `number`: of the column that is ours; a parent of workers has none."""

    def __init__(self, fd: int, workers: int, number: int = 0) -> None:
        self.fd = fd
        self._workers = workers
        self._number = number
        self._held: WeakValueDictionary[str, Cell] = WeakValueDictionary()
        self._told: Mapping[str, Busy] = {}
        self._noted: Mapping[str, Busy] = {}
        names, size = ROWS * NAME_BYTES, ROWS * workers * _WORD
        memory = memoryview(mmap.mmap(fd, names + _TABLES * size))
        self._names = memory[:names]
        # In the order in which `Cell` takes them.
        self._tables = [
            memory[start : start + size].cast("q")
            for start in range(names, names + _TABLES * size, size)
        ]

    @classmethod
    def create(cls, workers: int) -> Self:
        """Return a table of zeros, which ends with its last user."""
        size = ROWS * (NAME_BYTES + _TABLES * workers * _WORD)
        return cls(anonymous_file("geniehive-cells", size), workers)

    def close(self) -> None:
        """Let no more workers inherit the table. It stays in use where it is."""
        os.close(self.fd)

    def clear(self, number: int) -> None:
        """Forget what the worker with this number counted: it is dead."""
        for table in self._tables:
            for index in range(number, ROWS * self._workers, self._workers):
                table[index] = 0

    def suspend(self, number: int) -> None:
        """Count nothing for the worker with this number, until it tells what it has again.

        Its rows stay in use: it is frozen, and may go on.
        """
        counts, *others = self._tables
        for index in range(number, ROWS * self._workers, self._workers):
            if counts[index]:
                counts[index] = HELD
                for table in others:
                    table[index] = 0

    def cell(self, service_id: str) -> Cell:
        """Return the cell of a service; all workers that ask for it share the row.

        When there is none left, the cell is one's own: siblings' requests are not seen in it.
        """
        cell = self._held.get(service_id)
        if cell is None:
            cell = self._held[service_id] = self._new(service_id)
        return cell

    def tell(self, loads: Mapping[str, Busy]) -> None:
        """Note what control is told now, by service, and count it; who is missing has nothing.

        What it was told before counts until the next time: it may still tell that to siblings,
        who would take it for requests of other gateways.
        """
        told = self._told
        noted = {
            service_id: _most(told.get(service_id, _IDLE), loads.get(service_id, _IDLE))
            for service_id in told.keys() | loads.keys()
        }
        for service_id in self._noted.keys() | noted.keys():
            cell = self._held.get(service_id)
            if cell is not None:
                cell.tell(noted.get(service_id, _IDLE))
                if (busy := loads.get(service_id)) is not None:
                    cell.count(busy)  # the parent may have taken us for frozen
        self._told, self._noted = loads, noted

    def unheard(self) -> None:
        """Note that control has forgotten what this worker told it."""
        self._told = {}
        self.tell({})

    def _new(self, service_id: str) -> Cell:
        name = hashlib.blake2b(service_id.encode(), digest_size=NAME_BYTES).digest()
        try:
            with self._alone():
                number = self._row_for(name)
                if number is not None:
                    self._names[number * NAME_BYTES : (number + 1) * NAME_BYTES] = name
                    first = number * self._workers
                    rows = slice(first, first + self._workers)
                    return Cell([table[rows] for table in self._tables], self._number)
            problem = "too many services"
        except TimeoutError:
            problem = "another worker holds the table"
        log.warning("%s: %s; other workers' requests there are not seen", service_id, problem)
        return Cell([memoryview(array("q", [0])) for _ in range(_TABLES)], 0)

    def _row_for(self, name: bytes) -> int | None:
        """Return the row of `name`, or one that it can have; None: all are taken."""
        free = None
        counts, first = self._tables[0], int.from_bytes(name[:4])
        for number in range(first, first + WINDOW):
            row = number % ROWS
            found = self._names[row * NAME_BYTES : (row + 1) * NAME_BYTES]
            used = any(counts[row * self._workers : (row + 1) * self._workers])
            if used and found == name:
                return row
            if not used and free is None:
                free = row
            if found == _UNUSED:
                break  # never used: whatever came later would have been put here
        return free

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other workers from looking for a row. A lock of the system: it dies with us.

        Raises:
            TimeoutError: another worker has been frozen while it did.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError from error
        try:
            yield
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)


def _most(one: Busy, other: Busy) -> Busy:
    """Return the more of each; `waiting` is nothing that siblings look at."""
    return Busy(max(one.in_flight, other.in_flight), max(one.pending_s, other.pending_s))
