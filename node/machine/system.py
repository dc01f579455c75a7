"""How busy the machine is and what it runs on, by its own operating system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psutil

from node.machine.gpu import temperature
from node.machine.use import Use

# Sensors of processors, by the driver that reads them; a disk may be hotter and well.
PROCESSORS = (
    "coretemp",
    "k10temp",
    "zenpower",
    "cpu",
    "soc",
    "x86_pkg_temp",
    "via_cputemp",
    "applesmc",
)

# Of all processors together: in less time than that, reading itself is most of what is done.
LEAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What is so now; None where the system does not tell."""

    cpu_utilization: float | None = None  # 0 to 1, since the reading before
    memory_available_bytes: int | None = None
    on_ac_power: bool | None = None
    temperature_celsius: float | None = None
    others_utilization: float | None = None  # 0 to 1, of programs that are none of ours
    untouched_seconds: float | None = None  # since somebody typed at it


class Times(NamedTuple):
    """Seconds of all processors together, since the machine started."""

    busy: float
    total: float


def times(told: Any) -> Times:
    """Return what `psutil.cpu_times()` tells; the time of guests is in that of the host twice."""
    total = sum(told) - getattr(told, "guest", 0.0) - getattr(told, "guest_nice", 0.0)
    return Times(total - told.idle - getattr(told, "iowait", 0.0), total)


def share(part: float, whole: float) -> float | None:
    """Return what `part` is of `whole`, 0 to 1; None when no time has passed."""
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else None


class System:
    """Reads again and again. use: who uses the machine, where that matters."""

    def __init__(self, use: Use | None = None) -> None:
        self._use = use
        self._before = times(psutil.cpu_times())

    def read(self) -> Reading:
        """Return what is so now. It blocks, as long as sensors take."""
        now = times(psutil.cpu_times())
        busy, total = now.busy - self._before.busy, now.total - self._before.total
        if total >= LEAST_SECONDS:
            self._before = now
        else:
            busy = total = 0.0
        used = self._use.look(busy, total) if self._use else None
        return Reading(
            share(busy, total),
            psutil.virtual_memory().available,
            _on_ac_power(),
            _temperature(),
            used.others if used else None,
            used.untouched_seconds if used else None,
        )


def _on_ac_power() -> bool | None:
    """Return whether it runs on mains; not known without a battery."""
    # Some systems have no such function at all.
    ask = getattr(psutil, "sensors_battery", None)
    try:
        battery = ask() if ask else None
    except (OSError, ValueError, ArithmeticError):  # a battery that tells nonsense
        return None
    return None if battery is None else battery.power_plugged


def _temperature() -> float | None:
    ask = getattr(psutil, "sensors_temperatures", None)
    try:
        return hottest(ask() if ask else {})
    except (OSError, ValueError):  # a sensor that is gone, or tells nonsense
        return None


def hottest(sensors: Mapping[str, Sequence[Any]]) -> float | None:
    """Return the temperature of the hottest processor, in degrees Celsius."""
    told = [
        found
        for name, ones in sensors.items()
        if name.lower().startswith(PROCESSORS)
        for one in ones
        if (found := temperature(one.current)) is not None
    ]
    return max(told, default=None)
