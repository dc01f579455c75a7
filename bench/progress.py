"""A line that tells how far something is, drawn over itself on terminals and nowhere else."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from cli.output import Output, clean, columns, interactive

REDRAWN_SECONDS = 0.1

BAR_CELLS = 14

# Takes what makes the line, given the seconds since the beginning; and whether it is the last.
Draw = Callable[[Callable[[float], str], bool], None]


def bar(done: int, size: int) -> str:
    """Return how much is done: `[####----------]  4/14`."""
    filled = int(done / size * BAR_CELLS) if size else BAR_CELLS
    return f"[{'#' * filled}{'-' * (BAR_CELLS - filled)}]  {done}/{size}"


@contextlib.contextmanager
def drawn(output: Output) -> Iterator[Draw]:
    """Yield what draws the line, at most ten times a second."""
    if output.quiet or output.as_json or not interactive(sys.stderr):
        yield lambda _, __: None
        return
    began, last = time.monotonic(), 0.0

    def draw(line: Callable[[float], str], final: bool) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REDRAWN_SECONDS or final:
            last = now
            width = (columns(sys.stderr) or 80) - 1
            sys.stderr.write(f"\r{clean(line(now - began))[:width]:<{width}}")
            sys.stderr.flush()

    try:
        yield draw
    finally:
        if last:
            sys.stderr.write("\n")
