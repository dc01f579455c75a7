"""Measures who answers under which strategy: `python -m tests.transcript`.

Writes docs/routing.json, and the parts of docs/routing.md that are made of it.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from bench.results import this_machine
from control.api.strategies import Strategy
from tests.transcript.pair import COMPARED, Pair, running_pair
from tests.transcript.results import KEPT, PAGE, Results, filled
from tests.transcript.runs import Load, at_once, learn, load, one_by_one

REQUESTS, TOKENS = 8, 16  # of the transcript
LOAD_REQUESTS, LOAD_TOKENS = 60, 24
ROUNDS = 3  # of loads, each strategy in turn
STRATEGIES = (Strategy.SCORED, Strategy.LEAST_LOADED)  # between which the default is chosen
CLIENTS = (4, 6)  # as many as the two have slots, and more


def main() -> None:
    """Measure, and write what was found."""
    with tempfile.TemporaryDirectory() as folder, running_pair(Path(folder)) as pair:
        print("who answers …", flush=True)
        found = asyncio.run(_transcript(pair))
        unequal = asyncio.run(_loads(pair))
    with tempfile.TemporaryDirectory() as folder, running_pair(Path(folder), share=1) as pair:
        equal = asyncio.run(_loads(pair))
    results = Results(**found, unequal=unequal, equal=equal)
    KEPT.write_text(results.as_json())
    PAGE.write_text(filled(PAGE.read_text(), results))


async def _transcript(pair: Pair) -> dict[str, Any]:
    (before,) = await at_once(pair, Strategy.SCORED, 1, TOKENS)
    await learn(pair, TOKENS)
    machine = this_machine()
    return {
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{machine.cores} cores of {machine.cpu}, {machine.memory_gib} GiB",
        "before": before.service,
        "scores": await asyncio.to_thread(pair.scores),
        "one_by_one": {one: await one_by_one(pair, one, REQUESTS, TOKENS) for one in COMPARED},
        "at_once": {one: await at_once(pair, one, REQUESTS, TOKENS) for one in COMPARED},
    }


async def _loads(pair: Pair) -> Sequence[Load]:
    loads = []
    for _, clients, strategy in product(range(ROUNDS), CLIENTS, STRATEGIES):
        found = await load(pair, strategy, LOAD_REQUESTS, clients, LOAD_TOKENS)
        print(f"  {found}", flush=True)
        loads.append(found)
    return loads


if __name__ == "__main__":
    main()
