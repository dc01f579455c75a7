"""Measures on real engines what waiting in the gateway is worth: `python -m tests.waiting TRACE`.

Three real llama.cpp services of unlike speed, every strategy, requests that wait in the gateway
or inside the engines: 90 runs, 40 minutes. What was measured is kept as it goes, below
build/, so that it goes on where it was ended. Writes docs/waiting.json, docs/waiting.svg and a
part of docs/routing.md.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

from bench.replay.trace import Entry
from bench.replay.trace import read as read_trace
from bench.results import this_machine
from tests.waiting.fleet import Fleet, running_fleet
from tests.waiting.measure import (
    ANSWER_SCALE,
    PROMPT_SCALE,
    alone,
    arrivals,
    capacity,
    cases,
    run,
    sizes,
    warm_up,
)
from tests.waiting.page import filled
from tests.waiting.pages import PAGE
from tests.waiting.plot import draw
from tests.waiting.predicted import predicted
from tests.waiting.results import KEPT, PLOT, Case, Results, read

SO_FAR = Path("build/waiting.json")


def main() -> None:
    """Measure what is not measured yet, and write what was found."""
    parser = argparse.ArgumentParser(prog="tests.waiting", description=__doc__)
    parser.add_argument("trace", type=Path, help="a trace as `geniehive bench replay` reads it")
    trace = read_trace(parser.parse_args().trace)
    results = read(SO_FAR) if SO_FAR.exists() else _begun(trace)
    left = [one for one in cases() if not results.done(one)]
    if left:
        with tempfile.TemporaryDirectory() as folder, running_fleet(Path(folder)) as fleet:
            asyncio.run(_measure(fleet, trace, left, results))
    results.predicted = [
        predicted(one, arrivals(trace, one, results.capacity), results) for one in cases()
    ]
    results.write(KEPT)
    PLOT.write_text(draw(results))
    PAGE.write_text(filled(PAGE.read_text(), results))


def _begun(trace: Sequence[Entry]) -> Results:
    scaled = [sizes(one) for one in trace]
    prompt, answer = (round(mean(values), 1) for values in zip(*scaled, strict=True))
    machine = this_machine()
    return Results(
        f"{datetime.now(UTC):%Y-%m-%d}",
        f"{machine.cores} cores of {machine.cpu}, {machine.memory_gib} GiB",
        f"prompts with 1/{PROMPT_SCALE} and answers with 1/{ANSWER_SCALE} of the trace's tokens",
        prompt,
        answer,
    )


async def _measure(
    fleet: Fleet, trace: Sequence[Entry], left: Sequence[Case], results: Results
) -> None:
    fleet.open_room(False)
    await warm_up(fleet)
    if not results.capacity:
        results.alone = await alone(fleet)
        results.capacity = await capacity(fleet, results)
        results.write(SO_FAR)
    for one in results.alone:
        print(one, file=sys.stderr, flush=True)
    print(f"together {results.capacity} requests/s", file=sys.stderr, flush=True)
    room = False
    for number, case in enumerate(left, start=1):
        if case.room is not room:
            room = case.room
            fleet.open_room(room)
        asked = arrivals(trace, case, results.capacity)
        found = await run(fleet, case, asked, results)
        results.runs.append(found)
        results.write(SO_FAR)
        waits = "gateway" if case.room else "engines"
        print(
            f"{number}/{len(left)}  {case.load:.1f} {case.strategy:<20} waits in {waits}"
            f"  p95 {found.first_p95:.2f} s  goodput {found.goodput:.2f}",
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    main()
