"""What ranking looks at: a service, its host, and what is seen of both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from control.inventory import Asset, Availability, Host, Service
from control.ranking.benchmarks import NO_FINDINGS, Findings


@dataclass(frozen=True, slots=True)
class Signals:
    """How a service does, as far as it is known; banded, so that noise changes nothing."""

    latency_p50: float | None = None  # seconds
    tokens_per_second: float | None = None
    availability: Availability = Availability.AVAILABLE


UNSEEN = Signals()
UNTRIED: Mapping[str, Findings] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Subject:
    """A service of a host.

    findings: what runs of benchmarks say of its assets, by id; only of those of which they
    say anything. now: when it was looked at, seconds since 1970; tells ages and nothing else.
    """

    host: Host
    service: Service
    signals: Signals = UNSEEN
    findings: Mapping[str, Findings] = field(default_factory=lambda: UNTRIED)
    now: float = field(default=0.0, compare=False)

    def of(self, asset: Asset) -> Findings:
        """Return what runs say of an asset."""
        return self.findings.get(asset.asset_id, NO_FINDINGS)

    @property
    def is_provider(self) -> bool:
        """Whether control itself offers it, for an external provider."""
        return self.host.host_id.startswith("external-provider:")
