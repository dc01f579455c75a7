"""How fast nodes beat and come back: control owns the pace of all of them. Pure."""

from dataclasses import dataclass

MAX_BEATS_PER_SECOND = 500.0
JITTER = 0.1

# 3 s at 100 hosts; at 10,000 hosts about 220 registrations a second.
_WINDOW_S = 0.5
_WINDOW_PER_HOST_S = 0.025
_MAX_WINDOW_S = 45.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What the operator chose."""

    interval: float = 5.0  # seconds between beats in a small fleet
    lease_intervals: int = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """What a node is told. All in seconds."""

    interval: float
    lease: float
    reconnect_window: float


def pace(rhythm: Rhythm, hosts: int, jitter: float) -> Pace:
    """Return the pace of a node in a fleet of `hosts`.

    jitter: 0 to 1, random. It makes a beat up to 10 % early and never late, so
    that hosts started together drift apart and no lease is shortened by it.
    """
    # Even when every node draws the earliest beat, the fleet stays within its cap.
    interval = max(rhythm.interval, hosts / (MAX_BEATS_PER_SECOND * (1 - JITTER)))
    return Pace(
        interval=interval * (1 - JITTER * jitter),
        lease=interval * rhythm.lease_intervals,
        reconnect_window=reconnect_window(hosts),
    )


def reconnect_window(hosts: int) -> float:
    """Return over how many seconds a fleet of `hosts` spreads its return to control."""
    return min(_WINDOW_S + _WINDOW_PER_HOST_S * hosts, _MAX_WINDOW_S)
