"""What ranking looks at: a service, its host, and what is seen of both."""

from dataclasses import dataclass

from control.inventory import Availability, Host, Service


@dataclass(frozen=True, slots=True)
class Signals:
    """How a service does, as far as it is known; banded, so that noise changes nothing."""

    latency_p50: float | None = None  # seconds
    tokens_per_second: float | None = None
    availability: Availability = Availability.AVAILABLE


UNSEEN = Signals()


@dataclass(frozen=True, slots=True)
class Subject:
    """A service of a host."""

    host: Host
    service: Service
    signals: Signals = UNSEEN

    @property
    def is_provider(self) -> bool:
        """Whether control itself offers it, for an external provider."""
        return self.host.host_id.startswith("external-provider:")
