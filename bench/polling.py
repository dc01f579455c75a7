"""Waiting for sockets to the microsecond."""

import contextlib
import select
from pathlib import Path

MAX_WAIT_SECONDS = 0.5  # how late a loop notices what no socket tells it


def ready(poller: select.epoll, seconds: float) -> list[tuple[int, int]]:
    """Return what is ready, after at most so many seconds; without a bound it is half a second.

    epoll alone waits in whole milliseconds, which turns a steady pace into bursts.
    """
    if seconds >= MAX_WAIT_SECONDS:
        return poller.poll(MAX_WAIT_SECONDS)
    if seconds > 0:
        select.select((poller,), (), (), seconds)
    return poller.poll(0)


def be_punctual() -> None:
    """Let this process wake up when it asked for it.

    Linux may add 50 microseconds to every wait, so that several ends fall together.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1")
