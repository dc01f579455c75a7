"""What the services do alike as processes: which event loop they run on, how they give up."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

EXIT_CANNOT_START = 2


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the fastest event loop there is here; None: the standard one."""
    try:
        import uvloop
    except ImportError:  # not made for every platform; it is only faster
        return None
    return uvloop.new_event_loop


def give_up(problems: Sequence[str]) -> NoReturn:
    """Say why the process cannot start, one line a problem, and exit with 2."""
    for problem in problems:
        sys.stderr.write(f"error: {problem}\n")
    sys.exit(EXIT_CANNOT_START)
