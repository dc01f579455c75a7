"""What a driver tells of a graphics processor, checked before anybody believes it."""

from dataclasses import dataclass

from node.state import Gpu, GpuMetrics

MAX_GPUS = 64
MAX_TEXT = 200
MAX_MEMORY_BYTES = 1 << 50


@dataclass(frozen=True, slots=True)
class Seen:
    """One, and how busy it is."""

    gpu: Gpu
    metrics: GpuMetrics


def seen(
    gpu_id: str,
    name: str,
    vendor: str,
    memory_bytes: int | None,
    percent: float | None = None,
    used_bytes: int | None = None,
    celsius: float | None = None,
) -> Seen:
    """Return one as it is told; None and what cannot be are not known.

    percent: share of its time that it is busy, 0 to 100.
    """
    share = None if percent is None or not 0 <= percent <= 100 else percent / 100
    return Seen(
        Gpu(_text(gpu_id), _text(name), vendor, _memory(memory_bytes) or 0),
        GpuMetrics(_text(gpu_id), share, _memory(used_bytes), temperature(celsius)),
    )


def temperature(celsius: float | None) -> float | None:
    """Return a temperature that a running machine can have; a broken sensor says others."""
    return celsius if celsius is not None and 0 < celsius < 150 else None


def _memory(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= MAX_MEMORY_BYTES else None


def _text(value: str) -> str:
    return "".join(one for one in value[:MAX_TEXT] if one.isprintable()).strip()
