"""What one probe finds."""

from collections.abc import Mapping
from dataclasses import dataclass

from control.inventory import Health


@dataclass(frozen=True, slots=True)
class Finding:
    """What the answers of a service mean, or that there were none.

    health: unknown when they tell nothing, which changes nothing. checks: of `http_ok`,
    `models_ok` and `auth_ok` those that were looked at. detail: why it is not healthy.
    """

    health: Health
    checks: Mapping[str, bool]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HealthSample:
    """A finding, and when it was made.

    observed_time: seconds since 1970. latency: seconds until the answer, None without one.
    in_flight: at all gateways. queue_depth: inside the engine, None when not known.
    """

    finding: Finding
    observed_time: float
    latency: float | None = None
    in_flight: int = 0
    queue_depth: int | None = None
