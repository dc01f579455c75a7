"""A session at a terminal: runs of one target after another, a bar, and Ctrl-C."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Sequence
from types import FrameType

from bench.progress import drawn
from bench.runs import shown
from bench.runs.asking import UNREACHABLE
from bench.runs.runner import Plan, Progress, Tell, client, run
from cli.output import Output


async def measure(
    gateway: str, key: str | None, plans: Sequence[Plan], output: Output
) -> list[Progress]:
    """Run plans one after another, until they are done or somebody presses Ctrl-C.

    One target that is dead does not keep the others from being asked.
    """
    done: list[Progress] = []
    stop = asyncio.Event()
    with stopping(stop):
        for plan in plans:
            progress = Progress(plan.size)
            done.append(progress)
            async with client(gateway, key, plan.concurrency) as opened:
                with _bar(output, plan.target if len(plans) > 1 else "") as tell:
                    tell(progress)  # a model may be loaded before the first answer
                    await run(opened, plan, progress, stop, tell)
            if stop.is_set() or (progress.stopped and progress.records[-1].failure == UNREACHABLE):
                break  # a gateway that is away is so for all targets
    return done


@contextlib.contextmanager
def stopping(stop: asyncio.Event) -> Iterator[None]:
    """Let the first Ctrl-C end the run in order; another one ends the command."""
    loop = asyncio.get_running_loop()

    # No handler of the loop: a pattern of a workload may keep that busy for good.
    def interrupted(number: int, at: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        loop.call_soon_threadsafe(stop.set)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _bar(output: Output, target: str) -> Iterator[Tell]:
    """Yield what draws a line of progress."""
    prefix = f"{target}  " if target else ""
    with drawn(output) as draw:

        def tell(progress: Progress) -> None:
            final = len(progress.records) == progress.size
            draw(lambda seconds: prefix + shown.progress(progress, seconds), final)

        yield tell
