"""What the services do alike as processes: event loop, open files, how they give up."""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

EXIT_CANNOT_START = 2
SWITCH_SECONDS = 0.001


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the fastest event loop there is here; None: the standard one."""
    try:
        import uvloop
    except ImportError:  # not made for every platform; it is only faster
        return None
    return uvloop.new_event_loop


def allow_open_files(needed: int) -> int:
    """Let this process have `needed` files and sockets open; return how many it may have.

    So may those that it starts. Fewer than needed is what the system allows at most.
    """
    try:
        import resource
    except ImportError:  # on Windows, which bounds sockets by memory alone
        return needed

    none = resource.RLIM_INFINITY
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == none or soft >= needed:
        return needed
    allowed = needed if hard == none else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except ValueError:  # macOS has a bound that the limit does not tell
        return soft
    return allowed


def favour_loop() -> None:
    """Let threads beside the event loop give way to it within a millisecond.

    By default one that computes may run on for 5 ms, each time the loop wakes.
    """
    sys.setswitchinterval(SWITCH_SECONDS)


def give_up(problems: Sequence[str]) -> NoReturn:
    """Say why the process cannot start, one line a problem, and exit with 2."""
    complain(problems)
    sys.exit(EXIT_CANNOT_START)


def complain(problems: Iterable[str]) -> None:
    """Write one line a problem, after all that was logged before."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    for problem in problems:
        sys.stderr.write(f"error: {problem}\n")
