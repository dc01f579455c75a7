"""Families of metrics: what each is called and means, and how counts become what scrapers read."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from control.api.latency import BOUNDS, BUCKETS, middle

Labels = tuple[str, ...]
Values = Mapping[Labels, float]
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# By latency bucket, see `control.api.latency`.
Latencies = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Family:
    """What series of one name have in common. name: as `shown`, but for the ending of counters."""

    kind: ClassVar[str]

    name: str
    help: str
    labels: Labels = ()

    @property
    def shown(self) -> str:
        """The name of its series; those of a histogram have endings of their own."""
        return self.name


@dataclass(frozen=True, slots=True)
class Counter(Family):
    """What only grows in one life of a process."""

    kind = "counter"

    @property
    def shown(self) -> str:
        """The name of its series."""
        return f"{self.name}_total"

    def of(self, values: Values) -> Metric:
        """Return the family; values: by labels."""
        return _filled(CounterMetricFamily(self.name, self.help, labels=self.labels), values)


@dataclass(frozen=True, slots=True)
class Gauge(Family):
    """What is so now."""

    kind = "gauge"

    def of(self, values: Values) -> Metric:
        """Return the family; values: by labels."""
        return _filled(GaugeMetricFamily(self.name, self.help, labels=self.labels), values)


@dataclass(frozen=True, slots=True)
class Histogram(Family):
    """Latencies in buckets that double from `first` to `last` seconds, both powers of 2 ms.

    Their sum is right within 10 %, since only buckets are kept.
    """

    kind = "histogram"

    first: float = 0.001
    last: float = 524.288

    def of(self, values: Mapping[Labels, Latencies]) -> Metric:
        """Return the family; values: by labels."""
        family = HistogramMetricFamily(self.name, self.help, labels=self.labels)
        # Every fourth bound is twice the one before.
        shown = [i for i in range(0, len(BOUNDS), 4) if self.first <= BOUNDS[i] <= self.last]
        for labels, counts in values.items():
            upto = list(accumulate(counts.get(place, 0) for place in range(BUCKETS)))
            buckets = [(f"{BOUNDS[place]:g}", upto[place]) for place in shown]
            total = sum(middle(place) * count for place, count in counts.items())
            family.add_metric(labels, [*buckets, ("+Inf", upto[-1])], total)
        return family


def rendered(families: Iterable[Metric]) -> bytes:
    """Return `families` as text that every scraper reads.

    Thousands of series take tens of milliseconds: not for an event loop.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found(families))
    return generate_latest(registry)


class _Found:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _filled(
    family: CounterMetricFamily | GaugeMetricFamily, values: Values
) -> CounterMetricFamily | GaugeMetricFamily:
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
