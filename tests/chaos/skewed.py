"""Runs a service whose clocks are wrong: `python -m tests.chaos.skewed [options] MODULE …`.

What Python asks the wall clock is off by `--wall` seconds, and with `--jump` back and forth
every second. `--monotonic` moves the clock that never goes back, in a time namespace; that
needs root on Linux.
"""

import argparse
import ctypes
import os
import runpy
import sys
import time
from pathlib import Path

CLONE_NEWTIME = 0x80


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.skewed", description=__doc__)
    parser.add_argument("--wall", type=float, default=0.0)
    parser.add_argument("--jump", action="store_true")
    parser.add_argument("--monotonic", type=int, default=0)
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="MODULE")
    given = parser.parse_args()
    if given.monotonic:
        move_monotonic(given.monotonic)
    if given.wall:
        move_wall(given.wall, jump=given.jump)
    sys.argv = given.rest
    runpy.run_module(given.rest[0], run_name="__main__", alter_sys=True)


def move_wall(offset: float, *, jump: bool) -> None:
    true_time = time.time

    def wrong_time() -> float:
        now = true_time()
        # gRPC makes deadlines of this clock and compares them with the kernel's; a machine
        # whose clock is wrong is wrong for both.
        if sys._getframe(1).f_globals["__name__"].startswith("grpc."):
            return now
        return now if jump and int(now) % 2 else now + offset

    time.time = wrong_time


def move_monotonic(seconds: int) -> None:
    """Enter a time namespace of our own.

    Raises:
        OSError: this user may not.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWTIME):
        raise OSError(ctypes.get_errno(), "no time namespace")
    offsets = f"monotonic {seconds} 0\nboottime {seconds} 0\n"
    Path("/proc/self/timens_offsets").write_text(offsets)
    namespace = os.open("/proc/self/ns/time_for_children", os.O_RDONLY)
    if libc.setns(namespace, CLONE_NEWTIME):
        raise OSError(ctypes.get_errno(), "the time namespace cannot be entered")
    os.close(namespace)


if __name__ == "__main__":
    main()
