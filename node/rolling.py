"""How fast a server was over the recent past, from what it counted since its start."""

import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from itertools import accumulate

from node.engines.sight import Counters, Histogram

WINDOW_SECONDS = 60.0
# Totals that are closer give way to newer ones, so that a window holds at most 32.
APART_SECONDS = 2.0
# What control takes; beyond, a server counts nonsense.
MAX_TOKENS_PER_SECOND = 1e6
MAX_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Over the recent past; None where nothing is known. Times in seconds."""

    tokens_per_second: float | None = None  # generated, of one answer
    prompt_tokens_per_second: float | None = None
    latency_p50: float | None = None  # of whole answers
    latency_p95: float | None = None
    first_token_p50: float | None = None
    first_token_p95: float | None = None


UNMEASURED = Rates()


class Rolling:
    """What one server counted lately."""

    def __init__(self) -> None:
        self._generated = _Window()
        self._prompt = _Window()
        self._latency = _Window()
        self._first_token = _Window()

    def take(self, counters: Counters | None, now: float) -> Rates:
        """Return the rates up to `now`, seconds of a clock. counters: None when it told none.

        Nothing told is nothing new: what was counted until then stays as long as it is
        recent. What falls tells of a restart, and everything is measured anew from there.
        """
        told = counters or Counters()
        takes = (
            (self._generated, _pair(told.generated_tokens, told.generation_seconds)),
            (self._prompt, _pair(told.prompt_tokens, told.prompt_seconds)),
            (self._latency, told.latency),
            (self._first_token, told.first_token),
        )
        if any(window.falls(totals) for window, totals in takes if totals is not None):
            for window, _ in takes:
                window.clear()
        for window, totals in takes:
            window.take(totals, now)
        latency, first_token = self._latency.growth(), self._first_token.growth()
        return Rates(
            _rate(self._generated.growth()),
            _rate(self._prompt.growth()),
            _percentile(latency, 0.5),
            _percentile(latency, 0.95),
            _percentile(first_token, 0.5),
            _percentile(first_token, 0.95),
        )


class _Window:
    """Totals of the recent past, oldest first; a pair of totals stands without bounds."""

    def __init__(self) -> None:
        self._taken: deque[tuple[float, Histogram]] = deque()

    def falls(self, totals: Histogram) -> bool:
        """Return whether `totals` are of another life of the server than those before."""
        if not self._taken:
            return False
        _, before = self._taken[-1]
        fallen = any(new < old for new, old in zip(totals.counts, before.counts, strict=False))
        return fallen or totals.bounds != before.bounds

    def take(self, totals: Histogram | None, now: float) -> None:
        if self._taken and now < self._taken[-1][0]:
            self.clear()  # the clock was set back, so that nothing tells how long ago it was
        if totals is not None:
            if len(self._taken) > 1 and self._taken[-1][0] - self._taken[-2][0] < APART_SECONDS:
                self._taken.pop()
            self._taken.append((now, totals))
        while self._taken and self._taken[0][0] < now - WINDOW_SECONDS:
            self._taken.popleft()

    def clear(self) -> None:
        self._taken.clear()

    def growth(self) -> Histogram | None:
        """Return what was added over the window, or None when it holds no two totals."""
        if len(self._taken) < 2:
            return None
        (_, first), (_, last) = self._taken[0], self._taken[-1]
        added = (new - old for new, old in zip(last.counts, first.counts, strict=True))
        return Histogram(last.bounds, tuple(added))


def _pair(amount: float | None, seconds: float | None) -> Histogram | None:
    return None if amount is None or seconds is None else Histogram((), (amount, seconds))


def _rate(growth: Histogram | None) -> float | None:
    amount, seconds = growth.counts if growth else (0.0, 0.0)
    rate = amount / seconds if seconds > 0 else 0.0
    return rate if 0 < rate <= MAX_TOKENS_PER_SECOND else None


def _percentile(growth: Histogram | None, share: float) -> float | None:
    """Return within how many seconds that share of all took place; None when nothing did.

    Evenly spread within its bucket, as Prometheus takes it. In the last bucket, which is
    without end, it is where that one begins: it was at least that.
    """
    if growth is None:
        return None
    # A server may be counting while it tells; a bucket holds at least what those below hold.
    counts = list(accumulate(growth.counts, max))
    wanted = share * counts[-1]
    if wanted <= 0:
        return None
    at = bisect_left(counts, wanted)
    begin, below = (growth.bounds[at - 1], counts[at - 1]) if at else (0.0, 0.0)
    end = growth.bounds[at]
    inside = (wanted - below) / (counts[at] - below)
    seconds = begin if math.isinf(end) else begin + (end - begin) * inside
    return seconds if 0 < seconds <= MAX_SECONDS else None
