"""Latencies as counts in fixed buckets, the same everywhere, so that they can be added up.

Bucket `i` counts what took no longer than 2^(i/4) ms and longer than the bucket
before; the last one counts all that took longer. A quantile is right within 10 %.
"""

from bisect import bisect_left
from collections.abc import Mapping

BUCKETS = 81
BOUNDS = tuple(0.001 * 2 ** (i / 4) for i in range(BUCKETS - 1))  # seconds, up to 14.8 minutes


def bucket(seconds: float) -> int:
    """Return the bucket that counts a latency."""
    return bisect_left(BOUNDS, seconds)


def quantile(counts: Mapping[int, float], share: float) -> float | None:
    """Return the latency in seconds that `share` of all were within, or None without any.

    counts: by bucket. share: 0 to 1, e.g. 0.5 for the median.
    """
    total = sum(counts.values())
    seen = 0.0
    for place in sorted(counts):
        seen += counts[place]
        if seen and seen >= share * total:
            return middle(place)
    return None


def middle(place: int) -> float:
    """Return the seconds that stand for all of a bucket: its middle, as ratios go."""
    upper = 0.001 * 2 ** (min(place, BUCKETS - 2) / 4)
    return upper if place in (0, BUCKETS - 1) else upper * 2**-0.125
