"""What gateways measured of a service, as counts that fade: new ones outweigh old ones."""

from math import exp2

from control.api.latency import quantile
from control.measured import DECODE_US, DECODED_TOKENS, FIRST_BYTE, Counts

# Of a request. One request is evidence for a half-life, a hundred for almost eight.
LEAST_WEIGHT = 0.5
# Counts are scaled anew before they are too far apart to be added.
MOST_HALVES = 30.0


class Fading:
    """Latencies and speeds of streamed answers, each of half its weight after a half-life.

    half_life: seconds. Nothing is touched as time goes by: counts are scaled up by what
    those before them lost since `_since`.
    """

    __slots__ = ("_answers", "_decode_us", "_decoded", "_first_bytes", "_half_life", "_since")

    def __init__(self, half_life: float, now: float) -> None:
        self._half_life = half_life
        self._since = now
        self._first_bytes: dict[int, float] = {}  # by bucket of `control.api.latency`
        self._answers = 0.0  # those that came together with what follows
        self._decoded = 0.0  # tokens
        self._decode_us = 0.0

    def add(self, counts: Counts, now: float) -> None:
        """Add what a gateway measured since it last told; what is not of streams is nothing."""
        if self._halves(now) > MOST_HALVES:
            self._scale(now)
        weight = exp2(self._halves(now))
        answers = 0
        for measure, count in counts.items():
            if measure.startswith(FIRST_BYTE):
                place = int(measure.removeprefix(FIRST_BYTE))
                self._first_bytes[place] = self._first_bytes.get(place, 0.0) + count * weight
                answers += count
        if counts[DECODE_US] > 0:
            self._answers += answers * weight
            self._decoded += counts[DECODED_TOKENS] * weight
            self._decode_us += counts[DECODE_US] * weight

    def latency(self, now: float) -> float | None:
        """Return the median time to the first byte, in seconds; None when nobody knows any more."""
        if not self._counts(sum(self._first_bytes.values()), now):
            return None
        return quantile(self._first_bytes, 0.5)

    def speed(self, now: float) -> float | None:
        """Return the tokens a second of one stream; None when nobody knows any more."""
        if not self._counts(self._answers, now):
            return None
        return self._decoded * 1e6 / self._decode_us

    def _halves(self, now: float) -> float:
        return (now - self._since) / self._half_life

    def _counts(self, weight: float, now: float) -> bool:
        return weight * exp2(-self._halves(now)) >= LEAST_WEIGHT

    def _scale(self, now: float) -> None:
        left = exp2(-self._halves(now))
        self._first_bytes = {place: count * left for place, count in self._first_bytes.items()}
        self._answers *= left
        self._decoded *= left
        self._decode_us *= left
        self._since = now
