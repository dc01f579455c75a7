"""Words for people."""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol


def age(seconds: float) -> str:
    """Return a span in its largest unit: `2s`, `4m`, `3h`, `2d`. Below zero is zero."""
    whole = max(int(seconds), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def gigabytes(size: float) -> str:
    """Return bytes as decimal gigabytes: `9.1 GB`."""
    return f"{size / 1e9:.1f} GB"


class Gpu(Protocol):
    """A graphics processor, as a node or as control tells of it."""

    @property
    def name(self) -> str: ...
    @property
    def vendor(self) -> str: ...
    @property
    def memory_bytes(self) -> int: ...


def gpus(found: Iterable[Gpu]) -> str:
    """Return graphics processors: `RTX 4090 24 GB`, `2 x RTX 4090 24 GB`, `no GPU`."""
    told = Counter(
        f"{one.name.removeprefix('NVIDIA ').removeprefix('GeForce ') or one.vendor or 'GPU'}"
        + (f" {one.memory_bytes / 2**30:.0f} GB" if one.memory_bytes else "")
        for one in found
    )
    return ", ".join(f"{n} x {one}" if n > 1 else one for one, n in told.items()) or "no GPU"


def plural(number: int, noun: str) -> str:
    """Return `1 model`, `2 models`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """Return how long something takes: `420 ms`, `1.8 s`, `4m`."""
    if seconds < 0.9995:
        return f"{seconds * 1_000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else age(seconds)
