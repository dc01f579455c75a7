"""How requests waited until a service was free, as `/metrics` tells it: sums that only grow."""

from collections import Counter
from enum import StrEnum
from typing import Self

import msgspec

from control.api.latency import bucket


class Refusal(StrEnum):
    """Why a request may not wait, or not any longer."""

    FULL = "full"  # as many wait as may
    DEADLINE = "deadline"  # its client would not wait so long


class Waited(msgspec.Struct):
    """Of one process. seconds: of those that waited and do not any more, by latency bucket."""

    seconds: Counter[int] = msgspec.field(default_factory=Counter)
    refused: Counter[str] = msgspec.field(default_factory=Counter)  # by `Refusal`

    def over(self, seconds: float) -> None:
        """Count one that waited so long, whatever became of it."""
        self.seconds[bucket(seconds)] += 1

    def refuse(self, why: Refusal) -> None:
        """Count one that was refused, before it waited or after."""
        self.refused[why.value] += 1

    def add(self, other: Self) -> None:
        """Add the sums of `other`."""
        self.seconds.update(other.seconds)
        self.refused.update(other.refused)
