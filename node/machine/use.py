"""Whether somebody else uses the machine than those it is lent to.

What counts, and nothing else does:

* programs that are none of ours, by the share of all processors that they took. Ours are
  this node, model servers by the name of their process, whoever listens on the port of a
  service of this node where the system tells that, and whatever these started;
* somebody typing: in a terminal of this machine, also over the network; on Windows also
  the keyboard and the mouse.
"""

import ctypes
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from node.listeners import is_engine

LOOKS = 6  # that are averaged: half a minute, so that one program that starts is no use
PORTS_EVERY = 12  # looks; to ask who listens takes longer than all else


@dataclass(frozen=True, slots=True)
class Used:
    """By whom it is used; None where nothing is known."""

    others: float | None  # share of all processors, 0 to 1, over the last looks
    untouched_seconds: float | None


@dataclass(frozen=True, slots=True)
class Process:
    """A process, and the seconds of processor time that it took since it started."""

    pid: int
    parent: int
    name: str
    seconds: float


class Use:
    """Looks again and again.

    ports: of the services of this node; processes, listeners, untouched: what the system
    tells, in tests something else.
    """

    def __init__(
        self,
        ports: Collection[int],
        processes: Callable[[], list[Process]] | None = None,
        listeners: Callable[[Collection[int]], set[int]] | None = None,
        untouched: Callable[[], float | None] | None = None,
    ) -> None:
        self._ports = ports
        self._processes = processes or running
        self._listeners = listeners or listening
        self._untouched = untouched or untouched_seconds
        self._before: dict[int, float] | None = None  # seconds of each of ours
        self._listening: set[int] = set()
        self._looks = 0
        self._shares: deque[float] = deque(maxlen=LOOKS)

    def look(self, busy: float, total: float) -> Used:
        """Return who used it since the look before.

        busy, total: seconds of all processors together since then.
        """
        if self._looks % PORTS_EVERY == 0:
            self._listening = self._listeners(self._ports)
        self._looks += 1
        mine = ours(self._processes(), {os.getpid(), *self._listening})
        if self._before is not None and total > 0:
            # One that started since then counts whole; what one that ended took since is lost.
            spent = sum(max(now - self._before.get(pid, 0.0), 0.0) for pid, now in mine.items())
            self._shares.append(min(max((busy - spent) / total, 0.0), 1.0))
        self._before = mine
        others = sum(self._shares) / len(self._shares) if self._shares else None
        return Used(others, self._untouched())


def ours(processes: Iterable[Process], known: Collection[int]) -> dict[int, float]:
    """Return the seconds of each process that works for those the machine is lent to."""
    children: dict[int, list[Process]] = {}
    found: dict[int, float] = {}
    waiting: list[Process] = []
    for one in processes:
        children.setdefault(one.parent, []).append(one)
        if one.pid in known or is_engine(one.name):
            waiting.append(one)
    while waiting:
        one = waiting.pop()
        if one.pid not in found:
            found[one.pid] = one.seconds
            waiting += children.get(one.pid, ())
    return found


def running() -> list[Process]:
    """Return all processes of the machine that tell of themselves."""
    told: list[Mapping[str, Any]] = [
        one.info for one in psutil.process_iter(["pid", "ppid", "name", "cpu_times"])
    ]
    return [
        Process(
            one["pid"],
            one["ppid"] or 0,
            one["name"] or "",
            one["cpu_times"].user + one["cpu_times"].system,
        )
        for one in told
        if one["cpu_times"] is not None
    ]


def listening(ports: Collection[int]) -> set[int]:
    """Return who listens on `ports`, where the system tells."""
    if not ports:
        return set()
    try:
        return {
            one.pid
            for one in psutil.net_connections("tcp")
            if one.status == psutil.CONN_LISTEN
            and one.pid
            and one.laddr
            and one.laddr.port in ports
        }
    except (psutil.Error, OSError):
        return set()  # some systems tell nothing to an ordinary user


def untouched_seconds() -> float | None:
    """Return how long ago somebody typed at this machine; None when it cannot be told."""
    windows = getattr(ctypes, "windll", None)
    if windows is not None:
        return since_input(windows)
    touched = []
    for user in psutil.users():
        try:
            # A terminal is read when somebody types: so tells `w`.
            touched.append(os.stat(f"/dev/{user.terminal}").st_atime)
        except (OSError, ValueError):
            continue  # a desktop, which has none
    return max(time.time() - max(touched), 0.0) if touched else None


class _LastInput(ctypes.Structure):
    _fields_ = (("size", ctypes.c_uint), ("milliseconds", ctypes.c_uint))


def since_input(windows: Any) -> float | None:
    """Return the seconds since keyboard or mouse were used. windows: what `ctypes.windll` is."""
    last = _LastInput(ctypes.sizeof(_LastInput), 0)
    if not windows.user32.GetLastInputInfo(ctypes.byref(last)):
        return None
    # Both count milliseconds in 32 bits and begin anew after 49 days.
    passed: int = (windows.kernel32.GetTickCount() - last.milliseconds) & 0xFFFFFFFF
    return passed / 1_000
