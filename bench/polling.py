"""Waiting for sockets to the microsecond, and reading them."""

import contextlib
import select
import socket
from pathlib import Path

READ_BYTES = 65_536
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


def received(connection: socket.socket) -> bytes | None:
    """Return what has arrived; nothing when the other side has left; None when nothing has."""
    try:
        return connection.recv(READ_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def be_punctual() -> None:
    """Let this process wake up when it asked for it.

    Linux may add 50 microseconds to every wait, so that several ends fall together.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1")
