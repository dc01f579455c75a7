"""What nodes tell of their machines, cut to what can be kept.

Cut and never refused: for the sake of a file with an odd name no host stays away.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from control.inventory import Gpu, GpuMetrics, Machine, ModelFile, Resources
from control.text import printable, unprintable

MAX_GPUS = 64
MAX_FILES = 1_000
MAX_PROBLEMS = 100
MAX_MACHINE = 512 << 10  # bytes of text about files and problems
MAX_PATH = 4_096
MAX_TEXT = 200
MAX_BYTES = 1 << 50
MAX_COUNT = 1 << 53  # what JSON can tell exactly

G = TypeVar("G", Gpu, GpuMetrics)


def clean(told: Machine) -> Machine:
    """Return as much of `told` as is kept, in its order; problems have room before files."""
    room = _Room(MAX_MACHINE)
    problems = tuple(room.fitting(printable(one, MAX_TEXT) for one in told.problems[:MAX_PROBLEMS]))
    files = (_file(one) for one in told.files[:MAX_FILES] if one.path)
    kept = tuple(one for one in files if room.takes(_text(one)))
    count = max(_count(told.file_count), min(len(told.files), MAX_COUNT))
    return Machine(kept, count, problems)


def clean_resources(told: Resources) -> Resources:
    """Return `told` with graphics processors that can be told apart and shown."""
    if not told.gpus:
        return told
    return replace(told, gpus=tuple(_gpu(one) for one in distinct(told.gpus)))


def distinct(gpus: Iterable[G]) -> Iterator[G]:
    """Yield those that have an id of their own, the first of each, and no more than are kept."""
    seen: set[str] = set()
    for one in gpus:
        if len(seen) == MAX_GPUS:
            return
        if (
            0 < len(one.gpu_id) <= MAX_TEXT
            and unprintable(one.gpu_id) is None
            and one.gpu_id not in seen
        ):
            seen.add(one.gpu_id)
            yield one


class _Room:
    """Bytes that texts may still take."""

    def __init__(self, left: int) -> None:
        self._left = left

    def takes(self, text: str) -> bool:
        """Return whether `text` has room; then it has taken it."""
        size = len(text.encode())
        if size > self._left:
            return False
        self._left -= size
        return True

    def fitting(self, texts: Iterable[str]) -> Iterator[str]:
        return (one for one in texts if one and self.takes(one))


def _text(found: ModelFile) -> str:
    return f"{found.path}{found.name}{found.architecture}{found.quantization}"


def _file(told: ModelFile) -> ModelFile:
    # Mostly all is well, and thousands of hosts may come with a thousand files each.
    numbers = told.size_bytes, told.context_tokens, told.parameter_count
    if (
        len(text := _text(told)) <= MAX_TEXT
        and unprintable(text) is None
        and min(numbers) >= 0
        and max(numbers) <= MAX_COUNT
    ):
        return told
    return ModelFile(
        printable(told.path, MAX_PATH),
        _count(told.size_bytes),
        printable(told.name, MAX_TEXT),
        printable(told.architecture, MAX_TEXT),
        printable(told.quantization, MAX_TEXT),
        _count(told.context_tokens),
        _count(told.parameter_count),
    )


def _gpu(told: Gpu) -> Gpu:
    memory = told.memory_bytes if 0 <= told.memory_bytes <= MAX_BYTES else 0
    name, vendor = printable(told.name, MAX_TEXT), printable(told.vendor, MAX_TEXT)
    return Gpu(told.gpu_id, name, vendor, memory)


def _count(told: int) -> int:
    return told if 0 <= told <= MAX_COUNT else 0
