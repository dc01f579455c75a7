"""Which of several equal candidates serves the next request."""

from collections.abc import Callable, Sequence
from typing import TypeVar

SCAN_AT_MOST = 4  # beyond that, two random ones are as good and cost the same for any number

T = TypeVar("T")


def least_loaded(equals: Sequence[T], load: Callable[[T], int], random: Callable[[], float]) -> T:
    """Return the least loaded of `equals`; ties go to the first.

    equals: at least one. random: returns 0 to 1, decides which two of many are looked at.

    Source: Mitzenmacher, The power of two choices in randomized load balancing, 2001.
    """
    count = len(equals)
    if count == 1:
        return equals[0]
    if count <= SCAN_AT_MOST:
        return min(equals, key=load)
    first, second = divmod(int(random() * count * (count - 1)), count - 1)
    other = second + (second >= first)
    return min(equals[first], equals[other], key=load)
