"""What a node measured, made safe to compute with: odd values are dropped, never refused.

A NaN that reached a score would break the order of every candidate beside it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from control.inventory import GpuMetrics, Metrics, Observation
from control.machines import MAX_BYTES, distinct
from control.text import printable

MAX_DETAIL = 200
MAX_REQUESTS = 1_000_000
MAX_TOKENS_PER_SECOND = 1e6
MAX_PROMPT_TOKENS_PER_SECOND = 1e7
MAX_LATENCY_S = 86_400.0

Bounds = Mapping[str, tuple[float, float]]

_OF_SERVICES: Bounds = {
    "in_flight": (0, MAX_REQUESTS),
    "queue_depth": (0, MAX_REQUESTS),
    "tokens_per_second": (0.0, MAX_TOKENS_PER_SECOND),
    "latency_p50": (0.0, MAX_LATENCY_S),
    "latency_p95": (0.0, MAX_LATENCY_S),
    "kv_cache_utilization": (0.0, 1.0),
    "vram_used_bytes": (0, MAX_BYTES),
    "prompt_tokens_per_second": (0.0, MAX_PROMPT_TOKENS_PER_SECOND),
    "first_token_p50": (0.0, MAX_LATENCY_S),
    "first_token_p95": (0.0, MAX_LATENCY_S),
}
# Of what people touch, and what melts: below and above, a sensor is broken.
_CELSIUS = (-100.0, 200.0)
_OF_MACHINES: Bounds = {
    "cpu_utilization": (0.0, 1.0),
    "memory_available_bytes": (0, MAX_BYTES),
    "temperature_celsius": _CELSIUS,
}
_OF_GPUS: Bounds = {
    "utilization": (0.0, 1.0),
    "memory_used_bytes": (0, MAX_BYTES),
    "temperature_celsius": _CELSIUS,
}


def clean(seen: Observation) -> tuple[Observation, int]:
    """Return `seen` without unusable values, and how many were dropped."""
    odd = _odd(seen, _OF_SERVICES)
    detail = printable(seen.detail, MAX_DETAIL) if seen.detail else ""
    if odd or detail != seen.detail:
        return replace(seen, detail=detail, **odd), len(odd)
    return seen, 0


def clean_metrics(seen: Metrics) -> tuple[Metrics, int]:
    """Return `seen` without unusable values, and how many were dropped."""
    odd = _odd(seen, _OF_MACHINES)
    dropped = len(odd)
    gpus: list[GpuMetrics] = []
    for one in distinct(seen.gpus):
        odd_of_gpu = _odd(one, _OF_GPUS)
        gpus.append(replace(one, **odd_of_gpu) if odd_of_gpu else one)
        dropped += len(odd_of_gpu)
    dropped += len(seen.gpus) - len(gpus)
    return (replace(seen, gpus=tuple(gpus), **odd) if dropped else seen), dropped


def _odd(seen: Observation | Metrics | GpuMetrics, bounds: Bounds) -> dict[str, Any]:
    """Return None for each value that is out of bounds; NaN is in none."""
    return {
        name: None
        for name, (least, most) in bounds.items()
        if (value := getattr(seen, name)) is not None and not least <= value <= most
    }
