"""The cluster as it is, again and again: in place on a terminal, else a block for each change."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cli.cluster import Cluster
from cli.output import clean
from cli.terminal import Terminal
from cli.text import age
from control.api.channel import control_errors
from control.api.errors import GenieHiveError, Unavailable

SECONDS = 1.0  # between two looks
KEYS = "q quits"
NO_KEYS = "Ctrl-C quits"


@dataclass(frozen=True, slots=True)
class View:
    """What control told last, and why it tells no more; empty while it does."""

    cluster: Cluster
    at: datetime
    problem: str = ""

    def caption(self, now: datetime) -> str:
        """Return how old the view is, and why. now: aware, as `at`."""
        if not self.problem:
            return f"updated {self.at:%H:%M:%S}"
        return f"STALE {age(self.staleness(now))}: {self.problem}, last view"

    def staleness(self, now: datetime) -> float:
        """Return the age of the view in seconds."""
        return (now - self.at).total_seconds()


Show = Callable[[View], str]


class Watch:
    """Looks at the cluster and keeps the last view of it.

    read: asks control. clock: the wall time, aware.

    Raises:
        grpc.RpcError: of the first look; control did not answer, or refused.
    """

    def __init__(self, read: Callable[[], Cluster], clock: Callable[[], datetime]) -> None:
        self._read = read
        self._clock = clock
        self.view = View(read(), clock())

    def look(self) -> None:
        """Replace the view by a new one, or by the old one and the reason for that."""
        try:
            with control_errors():
                self.view = View(self._read(), self._clock())
        except GenieHiveError as error:
            away = isinstance(error, Unavailable)
            problem = "control unreachable" if away else clean(str(error))
            self.view = View(self.view.cluster, self.view.at, problem)

    def in_place(self, show: Show) -> None:
        """Draw the view on the terminal until `q` is pressed."""
        terminal = Terminal()
        left = threading.Event()
        eyes = threading.Thread(target=self._look_on, args=(left, terminal.wake), daemon=True)
        hint = KEYS if terminal.has_keys else NO_KEYS
        shown, size, text = None, None, ""
        try:
            with terminal.held():
                eyes.start()
                while True:
                    view = self.view
                    if view is not shown or terminal.size != size:
                        # Of a thousand hosts that takes a while.
                        shown, size, text = view, terminal.size, show(view)
                    terminal.draw(text, f"{view.caption(self._clock())} | {hint}")
                    if "q" in terminal.keys(SECONDS):
                        return
        finally:
            left.set()

    def _look_on(self, left: threading.Event, tell: Callable[[], None]) -> None:
        while not left.wait(SECONDS):
            try:
                self.look()
            except ValueError:
                return  # the channel is closed, since we leave
            tell()

    def as_blocks(
        self, write: Callable[[View], None], pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Write the view whenever it is another one, until interrupted."""
        written = None
        while True:
            sign = (self.view.problem, fingerprint(self.view.cluster))
            if sign != written:
                write(self.view)
                sys.stdout.flush()
                written = sign
            pause(SECONDS)
            self.look()


def fingerprint(cluster: Cluster) -> bytes:
    """Return what is the same as long as only times pass and gauges move."""
    health = type(cluster.health)()
    health.CopyFrom(cluster.health)
    for field in ("route_age", "uptime"):
        health.ClearField(field)
    parts = [health.SerializeToString(deterministic=True)]
    for one in cluster.hosts:
        host = type(one)()
        host.CopyFrom(one)
        host.ClearField("heartbeat_time")
        host.ClearField("metrics")
        parts.append(host.SerializeToString(deterministic=True))
    for found in cluster.services:
        status = type(found)()
        status.CopyFrom(found)
        for field in ("measured", "latency_p50", "tokens_per_second", "update_time", "held_back"):
            status.ClearField(field)
        status.probe.ClearField("probe_time")
        status.ejection.ClearField("remaining")
        for field in ("latency_p50", "tokens_per_second"):
            status.service.observation.ClearField(field)
        parts.append(status.SerializeToString(deterministic=True))
    return b"".join(parts)
