"""Statistics of a bench: exact percentiles, and ratios that are taken inside a round."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Number = TypeVar("Number", int, float)


def percentile(ordered: Sequence[Number], share: float) -> Number | None:
    """Return the smallest value that at least `share` (0 to 1) of all values do not exceed.

    ordered: ascending. None when there are none. Never a value between two measured ones.
    """
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several rounds."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread | None:
    """Return median, least and greatest; None when there are none."""
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values))


def ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> list[float]:
    """Return our figure over theirs, round by round.

    Both by the number of their round. The machine is not the same from one round to the
    next; within one it nearly is. A round that lacks either has none, nor has one in which
    theirs is lost in noise: zero, or less as a difference may be.
    """
    return [ours[one] / theirs[one] for one in sorted(ours) if theirs.get(one, 0.0) > 0]


def differences(ours: Mapping[int, float], theirs: Mapping[int, float]) -> dict[int, float]:
    """Return our figure minus theirs for every round that has both."""
    return {number: ours[number] - theirs[number] for number in sorted(ours) if number in theirs}
