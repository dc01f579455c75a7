"""How services do, by what nodes see, gateways measured and benchmarks found.

What a node tells of its engine counts, smoothed, and for a half-life after it told it last:
an engine that had nothing to do is as fast as it was. Its median time to the first token comes
before that to whole answers, which says more about what was asked. Where it tells
nothing, what gateways measured does: the median time to the first byte of streamed
answers, and the tokens a second of one stream, both fading until nothing is known.
What benchmarks found, `benchmarks.records` has.

Routes are made of these values, so what changes little changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from math import exp2

from control.benchmarks.records import TrackRecords
from control.fading import Fading
from control.inventory import Host, Observation, Service
from control.measured import MAX_SHOWN, Counts
from control.members import Offer
from control.ranking.presets import Scoring
from control.ranking.subject import Signals, Subject

HALF_LIFE_S = 600.0
# A new value counts when it is more than this share away from the one that counts.
NOISE = 0.10
# A node tells of its last minute, which differs a little at each beat. What is so many times
# more or less counts at once, what is nearer half after so many seconds.
LEAP = 2.0
SMOOTHING_S = 60.0
# Services looked at in one go, 2 us each; all of a large fleet within some seconds.
SLICE = 500


@dataclass(slots=True)
class _Told:
    """A value as a node tells it, smoothed; at: when it was told last."""

    value: float | None = None
    at: float = 0.0

    def take(self, value: float | None, now: float) -> bool:
        """Take over what is told now, if anything; return whether that makes another value."""
        if value is None:
            return False
        before = self.value
        if before is None or not before / LEAP <= value <= before * LEAP:
            self.value = value
        else:
            lasting = 1 - exp2((self.at - now) / SMOOTHING_S)
            self.value = before + lasting * (value - before)
        self.at = now
        return self.value != before

    def counting(self, now: float, lifetime: float) -> float | None:
        """Return the value, None when it was told too long ago."""
        if now - self.at >= lifetime:
            self.value = None
        return self.value


@dataclass(slots=True)
class _Known:
    """What is known of a service. latency, speed: the values that count."""

    service: Service
    # By its node: seconds to the first token and to whole answers, and tokens a second.
    told: tuple[_Told, _Told, _Told] = field(default_factory=lambda: (_Told(), _Told(), _Told()))
    measured: Fading | None = None
    latency: float | None = None  # seconds
    speed: float | None = None  # tokens a second


class Evidence:
    """What is seen of all services, and of which of them that changed.

    half_life: seconds in which what was measured loses half of its weight. records: what
    benchmarks found.
    """

    def __init__(self, half_life: float = HALF_LIFE_S, records: TrackRecords | None = None) -> None:
        self.records = TrackRecords() if records is None else records
        self._half_life = half_life
        self._known: dict[str, _Known] = {}
        self._fresh: dict[str, None] = {}  # measured since they were looked at; in order
        self._fading: list[str] = []  # to be looked at, until all were
        self._changed: set[str] = set()

    def subject(self, host: Host, offer: Offer) -> Subject:
        """Return a service of a host with all that is seen of it now."""
        service = offer.service
        signals = self.signals(service.service_id, offer.observation)
        return Subject(host, service, signals, self.records.of(service), self.records.now)

    def signals(self, service_id: str, seen: Observation) -> Signals:
        """Return how a service does. seen: by its node, now."""
        known = self._known.get(service_id)
        if known is None:
            return Signals(availability=seen.availability)
        return Signals(known.latency, known.speed, seen.availability)

    def take_changed(self) -> set[str]:
        """Return the services of which something else is seen since the last call."""
        changed, self._changed = self._changed, set()
        return changed | self.records.take_changed()

    def rule(self, scoring: Scoring) -> None:
        """Judge what benchmarks found by `scoring` from now on."""
        self.records.rule(scoring)

    def see(self, offer: Offer, now: float) -> None:
        """Take over what a node tells of a service, when it registers it and with every beat."""
        service = offer.service
        known = self._known.get(service.service_id)
        if known is None:
            if len(self._known) >= MAX_SHOWN:
                return
            known = self._known[service.service_id] = _Known(service)
        if known.service is not service:
            if _reweighed(known.service, service):
                known.measured = None
                known.told = _Told(), _Told(), _Told()
                self._fresh[service.service_id] = None
            known.service = service
        seen = offer.observation
        values = seen.first_token_p50, seen.latency_p50, seen.tokens_per_second
        others = [told.take(one, now) for told, one in zip(known.told, values, strict=True)]
        if any(others):
            self._settle(service.service_id, known, now)

    def add(self, service_id: str, counts: Counts, now: float) -> None:
        """Add what a gateway measured since it last told; of unknown services nothing is kept."""
        known = self._known.get(service_id)
        if known is None:
            return
        if known.measured is None:
            known.measured = Fading(self._half_life, now)
        known.measured.add(counts, now)
        self._fresh[service_id] = None

    def forget(self, service_id: str) -> None:
        """Forget a service that is gone."""
        self._known.pop(service_id, None)
        self._fresh.pop(service_id, None)

    def look(self, now: float) -> None:
        """Find out what changed by what was measured, and by time; a bounded part in one go."""
        self.records.look()
        for service_id in list(islice(self._fresh, SLICE)):
            del self._fresh[service_id]
            self._settle(service_id, self._known[service_id], now)
        if not self._fading:
            self._fading = [one for one, known in self._known.items() if _may_fade(known)]
        for _ in range(min(SLICE, len(self._fading))):
            service_id = self._fading.pop()
            known = self._known.get(service_id)
            if known is not None:
                self._settle(service_id, known, now)

    def _settle(self, service_id: str, known: _Known, now: float) -> None:
        first_token, answer, speed = (one.counting(now, self._half_life) for one in known.told)
        latency = answer if first_token is None else first_token
        if known.measured is not None:
            measured = known.measured.latency(now), known.measured.speed(now)
            if measured == (None, None):
                known.measured = None
            latency = measured[0] if latency is None else latency
            speed = measured[1] if speed is None else speed
        if _differs(known.latency, latency):
            known.latency = latency
            self._changed.add(service_id)
        if _differs(known.speed, speed):
            known.speed = speed
            self._changed.add(service_id)


def _may_fade(known: _Known) -> bool:
    return known.measured is not None or any(one.value is not None for one in known.told)


def _differs(held: float | None, new: float | None) -> bool:
    """Return whether `new` is another value and not the one that is `held`, with noise."""
    if held is None or new is None:
        return held is not new
    return abs(new - held) > NOISE * held


def _reweighed(before: Service, after: Service) -> bool:
    """Return whether a model has other weights than before: what was measured is of the old."""
    digests = _digests(before)
    return any(digests.get(one, digest) != digest for one, digest in _digests(after).items())


def _digests(service: Service) -> Mapping[str, str]:
    return {asset.asset_id: asset.digest for asset in service.assets if asset.digest}
