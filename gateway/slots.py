"""What the workers of one gateway tell each other: memory with a slot for each of them.

Only the worker itself writes into its slot, and what it wrote last stays there when it dies:
its successor goes on from it. A slot has two halves. The one that is not read is written,
and then becomes the one that is, so that a worker that is killed while it writes, or a
sibling that reads meanwhile, never meets half of anything.
"""

import mmap
import os
import struct
import sys
import tempfile
import zlib
from typing import Self

HALF = 3 << 20  # bytes; memory is used only as far as it is written
_TURN = struct.Struct("=Q")  # which half is read: its lowest bit
_HEAD = struct.Struct("=II")  # of a half: length and checksum of what is in it
_SLOT = _TURN.size + 2 * HALF
_TRIES = 10  # a slot is written once a second, and is read within a millisecond


class Slots:
    """All slots. `number`: of the one that is ours; a parent of workers has none."""

    def __init__(self, fd: int, workers: int, number: int = 0) -> None:
        self.fd = fd
        self.number = number
        self._workers = workers
        self._memory = mmap.mmap(fd, _SLOT * workers)

    @classmethod
    def create(cls, workers: int) -> Self:
        """Return empty slots, which end with their last user."""
        return cls(anonymous_file("geniehive-slots", _SLOT * workers), workers)

    def close(self) -> None:
        """Let no more workers inherit the slots. They stay in use where they are."""
        os.close(self.fd)

    def write(self, content: bytes) -> None:
        """Put `content` into our slot.

        Raises:
            ValueError: it is larger than a slot.
        """
        if len(content) > HALF - _HEAD.size:
            raise ValueError(f"{len(content)} bytes are too much for a slot")
        start = self.number * _SLOT
        turn = self.turn(self.number) + 1
        begin = start + _TURN.size + turn % 2 * HALF
        _HEAD.pack_into(self._memory, begin, len(content), zlib.crc32(content))
        begin += _HEAD.size
        self._memory[begin : begin + len(content)] = content
        _TURN.pack_into(self._memory, start, turn)

    def read(self, number: int) -> bytes:
        """Return what the worker with this number wrote last; nothing if it never did."""
        for _ in range(_TRIES):
            turn = self.turn(number)
            begin = number * _SLOT + _TURN.size + turn % 2 * HALF
            length, checksum = _HEAD.unpack_from(self._memory, begin)
            begin += _HEAD.size
            content = self._memory[begin : begin + min(length, HALF)]
            # The checksum, too: what another core wrote may be seen in another order.
            if self.turn(number) == turn and zlib.crc32(content) == checksum:
                return content
        return b""

    def read_all(self) -> list[bytes]:
        """Return what each worker wrote last, in the order of their numbers."""
        return [self.read(number) for number in range(self._workers)]

    def turn(self, number: int) -> int:
        """Return how often the worker with this number wrote, its predecessors included."""
        turn: int = _TURN.unpack_from(self._memory, number * _SLOT)[0]
        return turn


def anonymous_file(name: str, size: int) -> int:
    """Return a descriptor of `size` zeros that child processes can map, and that nobody else sees.

    name: for people who look at the descriptors of a process.
    """
    if sys.platform == "linux":
        # No file of a disk: when that is full, the first write into a page ends the writer.
        fd = os.memfd_create(name)
    else:
        fd, path = tempfile.mkstemp(prefix=f"{name}-")
        os.unlink(path)
    os.truncate(fd, size)
    return fd
