"""A trace that is sent from a terminal: a line of progress, and Ctrl-C."""

import asyncio
import time
from collections.abc import Sequence

from bench.progress import drawn
from bench.replay import shown
from bench.replay.arrivals import Arrival
from bench.replay.client import Asking, Run, opened, send
from bench.runs.session import stopping
from cli.output import Output


async def sent(
    due: Sequence[Arrival],
    url: str,
    key: str | None,
    model: str,
    deadline_s: float,
    scale: float,
    output: Output,
    *,
    whole: bool,
) -> tuple[Run, bool]:
    """Send what is due until all is over, or until Ctrl-C; return which of both, too."""
    run, stop = Run(len(due)), asyncio.Event()
    lasts_s = due[-1].due
    with drawn(output) as draw, stopping(stop):

        def tell(run: Run) -> None:
            draw(lambda s: shown.sending(run, s, lasts_s), len(run.over) == run.size)

        async with opened(url, key) as client:
            asking = Asking(client, model, deadline_s, scale, whole)
            sending = asyncio.create_task(send(asking, due, run, tell, time.monotonic))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait([sending, stopped], return_when=asyncio.FIRST_COMPLETED)
            interrupted = not sending.done()
            sending.cancel()
            stopped.cancel()
            ended = await asyncio.gather(sending, stopped, return_exceptions=True)
    if isinstance(ended[0], Exception):
        raise ended[0]
    return run, interrupted
