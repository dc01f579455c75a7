"""What a node measured, made safe to compute with: odd values are dropped, never refused.

A NaN that reached a score would break the order of every candidate beside it.
"""

import math
from typing import TypeVar

from control.inventory import Metrics, Observation
from control.text import printable

MAX_DETAIL = 200
MAX_REQUESTS = 1_000_000
MAX_TOKENS_PER_SECOND = 1e6
MAX_LATENCY_S = 86_400.0

N = TypeVar("N", int, float)


def clean(seen: Observation) -> tuple[Observation, int]:
    """Return `seen` without unusable values, and how many were dropped."""
    kept = Observation(
        seen.health,
        in_flight=_usable(seen.in_flight, MAX_REQUESTS),
        queue_depth=_usable(seen.queue_depth, MAX_REQUESTS),
        tokens_per_second=_usable(seen.tokens_per_second, MAX_TOKENS_PER_SECOND),
        latency_p50=_usable(seen.latency_p50, MAX_LATENCY_S),
        detail=printable(seen.detail, MAX_DETAIL),
        availability=seen.availability,
    )
    pairs = (
        (seen.in_flight, kept.in_flight),
        (seen.queue_depth, kept.queue_depth),
        (seen.tokens_per_second, kept.tokens_per_second),
        (seen.latency_p50, kept.latency_p50),
    )
    return kept, _dropped(pairs)


def clean_metrics(seen: Metrics) -> tuple[Metrics, int]:
    """Return `seen` without unusable values, and how many were dropped."""
    kept = Metrics(
        cpu_utilization=_usable(seen.cpu_utilization, 1.0),
        memory_available_bytes=_usable(seen.memory_available_bytes),
    )
    pairs = (
        (seen.cpu_utilization, kept.cpu_utilization),
        (seen.memory_available_bytes, kept.memory_available_bytes),
    )
    return kept, _dropped(pairs)


def _usable(value: N | None, at_most: float = math.inf) -> N | None:
    if value is None or not math.isfinite(value) or not 0 <= value <= at_most:
        return None
    return value


def _dropped(pairs: tuple[tuple[float | None, float | None], ...]) -> int:
    return sum(before is not None and after is None for before, after in pairs)
