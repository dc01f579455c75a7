"""What simulated nodes did, in memory that the processes of a bench share."""

import mmap
from pathlib import Path

_CELL_BYTES = 8


class Board:
    """Three cells a node, each written by the process of that node only.

    `registered_at` is in seconds of the monotonic clock, which is one for the whole machine.
    """

    def __init__(self, path: Path, nodes: int) -> None:
        with path.open("r+b") as file:
            cells = memoryview(mmap.mmap(file.fileno(), 0)).cast("d")
        self.beats = cells[:nodes]
        self.registrations = cells[nodes : 2 * nodes]
        self.registered_at = cells[2 * nodes :]

    @classmethod
    def create(cls, path: Path, nodes: int) -> "Board":
        """Return a new board, all zero, that others can open by its path."""
        path.write_bytes(bytes(3 * nodes * _CELL_BYTES))
        return cls(path, nodes)
