"""What requests took and used, counted by service and asset until somebody is told of it.

An exchange counts on its `Tally` within half a microsecond; `Meter.take` hands out
what came together since the last time.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from control.api.latency import BUCKETS, bucket
from gateway.reasoning import Usage


@dataclass(frozen=True, slots=True)
class Increment:
    """What came to its end at a service and an asset, since it was last told."""

    service_id: str
    asset_id: str
    answered: int = 0
    abandoned: int = 0  # their client left
    errors: Mapping[str, int] = field(default_factory=dict)  # by code
    prompt_tokens: int = 0
    completion_tokens: int = 0
    decoded_tokens: int = 0  # of streamed answers, after the first one
    decode_s: float = 0.0  # what these took
    first_bytes: Mapping[int, int] = field(default_factory=dict)  # streamed, by latency bucket
    durations: Mapping[int, int] = field(default_factory=dict)  # of all answers, likewise


class Tally:
    """Counts for one service and asset. Made by `Meter.tally`, kept as long as it is of use."""

    __slots__ = ("__weakref__", "_counts", "_key", "_waiting")

    def __init__(self, key: tuple[str, str], waiting: "list[Tally]") -> None:
        self._key = key
        self._waiting = waiting
        self._counts: _Counts | None = None

    def answered(
        self, first_s: float, whole_s: float, usage: Usage | None, *, streamed: bool
    ) -> None:
        """Count a request that was answered to the end.

        first_s, whole_s: seconds from the beginning of the attempt to the first byte
        of the answer and to its end.
        """
        counts = self._counts or self._begin()
        counts.answered += 1
        counts.durations[bucket(whole_s)] += 1
        if streamed:
            # Without streaming the first byte comes after the last token and tells nothing.
            counts.first_bytes[bucket(first_s)] += 1
        if usage is None:
            return
        completion_tokens = usage.completion_tokens
        counts.prompt_tokens += usage.prompt_tokens
        counts.completion_tokens += completion_tokens
        if streamed and completion_tokens > 1 and whole_s > first_s:
            counts.decoded_tokens += completion_tokens - 1
            counts.decode_s += whole_s - first_s

    def failed(self, code: str) -> None:
        """Count an attempt that failed. code: of a class of `control.api.errors`."""
        (self._counts or self._begin()).errors[code] += 1

    def left(self) -> None:
        """Count a request whose client left before the end."""
        (self._counts or self._begin()).abandoned += 1

    def take(self) -> Increment:
        """Return what was counted, and count from nothing again."""
        increment, self._counts = self.counted(), None
        return increment

    def counted(self) -> Increment:
        """Return what was counted since it was last taken, and go on."""
        found = self._counts or _Counts()
        return Increment(
            *self._key,
            found.answered,
            found.abandoned,
            dict(found.errors),
            found.prompt_tokens,
            found.completion_tokens,
            found.decoded_tokens,
            found.decode_s,
            _some(found.first_bytes),
            _some(found.durations),
        )

    def _begin(self) -> "_Counts":
        self._counts = counts = _Counts()
        self._waiting.append(self)  # now it lives until it is taken, whoever drops it
        return counts


class _Counts:
    __slots__ = (
        "abandoned",
        "answered",
        "completion_tokens",
        "decode_s",
        "decoded_tokens",
        "durations",
        "errors",
        "first_bytes",
        "prompt_tokens",
    )

    def __init__(self) -> None:
        self.answered = self.abandoned = 0
        self.prompt_tokens = self.completion_tokens = self.decoded_tokens = 0
        self.decode_s = 0.0
        self.errors: Counter[str] = Counter()
        self.first_bytes = [0] * BUCKETS
        self.durations = [0] * BUCKETS


def _some(counts: list[int]) -> dict[int, int]:
    """Return the counts that are not 0, by bucket."""
    return {place: count for place, count in enumerate(counts) if count}


class Meter:
    """The tallies of one gateway process.

    A tally that nobody holds and that has nothing to tell is gone, so services that
    come and go leave nothing behind. taken: called with each increment that is handed out.
    """

    def __init__(self, taken: Callable[[Increment], None] = lambda increment: None) -> None:
        self._taken = taken
        self._tallies: WeakValueDictionary[tuple[str, str], Tally] = WeakValueDictionary()
        self._waiting: list[Tally] = []

    def tally(self, service_id: str, asset_id: str) -> Tally:
        """Return where to count for a service and an asset; it may be kept."""
        key = (service_id, asset_id)
        found = self._tallies.get(key)
        if found is None:
            self._tallies[key] = found = Tally(key, self._waiting)
        return found

    @property
    def waiting(self) -> int:
        """How many tallies have something to tell."""
        return len(self._waiting)

    def take(self, most: int) -> list[Increment]:
        """Return what at most so many tallies counted, oldest first; they begin anew."""
        taken = self._waiting[:most]
        del self._waiting[:most]
        increments = [tally.take() for tally in taken]
        for increment in increments:
            self._taken(increment)
        return increments

    def waits(self) -> list[Increment]:
        """Return what `take` would, of all tallies; they go on counting."""
        return [tally.counted() for tally in self._waiting]
