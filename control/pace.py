"""How fast nodes beat and come back: control owns the pace of all of them. Pure."""

from dataclasses import dataclass

JITTER = 0.1
JITTER_STEPS = 16  # few, so that what many nodes are told is made once

# A fleet comes back at this pace, a fifth of what one core can take.
RETURNS_PER_SECOND = 270.0
_WINDOW_S = 0.5
MAX_WINDOW_S = 37.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What the operator chose."""

    interval: float = 5.0  # seconds between beats in a small fleet
    lease_intervals: int = 3
    beats_per_second: float = 500.0  # of the whole fleet, at most


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
    interval = steady_interval(rhythm, hosts)
    return Pace(
        interval=interval * (1 - JITTER * round(jitter * JITTER_STEPS) / JITTER_STEPS),
        lease=interval * rhythm.lease_intervals,
        reconnect_window=reconnect_window(hosts),
    )


def reconnect_window(hosts: int) -> float:
    """Return over how many seconds a fleet of `hosts` spreads its return to control."""
    return min(_WINDOW_S + hosts / RETURNS_PER_SECOND, MAX_WINDOW_S)


def steady_interval(rhythm: Rhythm, hosts: int) -> float:
    """Return the seconds between the beats of a node without jitter."""
    # Even when every node draws the earliest beat, the fleet stays within its cap.
    return max(rhythm.interval, hosts / (rhythm.beats_per_second * (1 - JITTER)))


def return_time(rhythm: Rhythm, hosts: int) -> float:
    """Return within how many seconds a fleet of `hosts` is back after control is.

    A node notices with its next beat, and then waits its share of the window.
    """
    return steady_interval(rhythm, hosts) + reconnect_window(hosts)
