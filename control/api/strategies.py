"""How one of several candidates is picked, as control explains it and gateways do it. Pure."""

from collections.abc import Sequence
from enum import StrEnum


class Strategy(StrEnum):
    """What decides between candidates of the best tier."""

    SCORED = "scored"
    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"
    POWER_OF_TWO = "power_of_two"
    EXPECTED_COMPLETION = "expected_completion"


# (requests that wait, what they cost a score), growing.
QueueSteps = Sequence[tuple[int, float]]


def waiting(in_flight: int, queue_depth: int, concurrency: int) -> int:
    """Return how many requests wait at a service, by what is sent there and what it tells.

    concurrency: requests it serves at the same time, 0 when unknown.
    """
    return max(queue_depth, in_flight - max(concurrency, 1))


def live_score(score: float, runtime: float, waits: int, steps: QueueSteps) -> float:
    """Return a score less what `waits` requests that wait cost it, at most its `runtime` part."""
    penalty = 0.0
    for depth, cost in steps:
        if waits < depth:
            break
        penalty = cost
    # Scores have 4 digits: what is equal to people must be equal here.
    return round(score - min(runtime, penalty), 6)
