"""What services do alone and together, and one run of arrivals through the gateway."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from itertools import product
from statistics import median

from bench.replay.trace import Entry
from bench.replay.workload import part
from control.api.strategies import Strategy
from tests.transcript.pair import role
from tests.waiting.arrivals import Arrival, Fate, replay
from tests.waiting.fleet import UNLIKE, Engine, Fleet
from tests.waiting.results import Alone, Case, Results, Run, rounded

# What one token of these small services stands for, of a trace of large ones.
PROMPT_SCALE, ANSWER_SCALE = 32, 8
MOST_PROMPT, MOST_ANSWER = 700, 200  # what fits into a slot
SECONDS = 20.0  # in which requests of a run come
PATIENCE_S = 12.0  # after that their answers are waited for
LOADS = (0.5, 0.7, 0.9)
ROUNDS = 3
STRATEGIES = ("scored", "round_robin", "least_loaded", "power_of_two", "expected_completion")
ALONE = 3  # times that a service is asked, of which the median counts
SATURATED_S, FILLED_S = 30.0, 6.0  # how long none rests, and from when on that is counted


def cases() -> list[Case]:
    """Return all cases, in the order in which they run: what is compared runs side by side."""
    return [
        Case(round_, load, room, strategy)
        for round_, load, room, strategy in product(range(ROUNDS), LOADS, (True, False), STRATEGIES)
    ]


def sizes(entry: Entry) -> tuple[int, int]:
    """Return the tokens of the prompt and of the answer that stand for those of a trace."""
    prompt = min(MOST_PROMPT, max(4, entry.prompt // PROMPT_SCALE))
    return prompt, min(MOST_ANSWER, max(2, entry.answer // ANSWER_SCALE))


def arrivals(trace: Sequence[Entry], case: Case, capacity: float) -> list[Arrival]:
    """Return what comes in one run: a part of the trace, stretched to its load."""
    count = max(1, round(case.load * capacity * SECONDS))
    chosen = part(trace, count, random.Random(case.round), case.round)
    began = chosen[0].at
    stretch = SECONDS / max(1e-9, chosen[-1].at - began)
    model = role(Strategy(case.strategy))
    return [Arrival((one.at - began) * stretch, *sizes(one), model) for one in chosen]


async def alone(fleet: Fleet) -> list[Alone]:
    """Return what each service does while the others rest, as the engines themselves tell."""
    return [await _alone(fleet, engine) for engine in UNLIKE]


async def _alone(fleet: Fleet, engine: Engine) -> Alone:
    name = engine.service_id
    ones: list[Fate] = []
    for _ in range(ALONE):
        ones += await replay(fleet.url, [Arrival(0, 100, 40, name)])
    all_slots = await replay(fleet.url, [Arrival(0, 4, 60, name)] * engine.slots)
    return Alone(
        name,
        engine.slots,
        round(median(one.timings["prompt_per_second"] for one in ones), 1),
        round(median(one.timings["predicted_per_second"] for one in ones), 1),
        round(median(one.timings["predicted_per_second"] for one in all_slots), 1),
    )


async def capacity(fleet: Fleet, results: Results) -> float:
    """Return the requests of the mean size a second that all answer while none ever rests."""
    prompt, answer = round(results.prompt), round(results.answer)
    asked = []
    for engine, one in zip(UNLIKE, results.alone, strict=True):
        each_s = prompt / one.prefill + answer / one.decode
        count = int(SATURATED_S / each_s) + 2 * engine.slots
        asked += [Arrival(0, prompt, answer, engine.service_id)] * count
    fates = await replay(fleet.url, asked, SATURATED_S)
    await asyncio.to_thread(fleet.settle)
    counted = sum(one.whole_s > FILLED_S for one in fates)
    return round(counted / (SATURATED_S - FILLED_S), 3)


async def warm_up(fleet: Fleet) -> None:
    """Let the gateway learn how fast each service is, as it knows after a minute of use."""
    for engine, size in product(UNLIKE, ((20, 10), (80, 20))):
        for together in (1, engine.slots):
            await replay(fleet.url, [Arrival(0, *size, engine.service_id)] * together)
    await asyncio.to_thread(fleet.settle)


async def run(fleet: Fleet, case: Case, asked: Sequence[Arrival], results: Results) -> Run:
    """Run one case. Its way to wait is in force already."""
    fates = await replay(fleet.url, asked, PATIENCE_S)
    await asyncio.to_thread(fleet.settle)
    whole = [one for one in fates if one.whole_s]
    return Run(
        case,
        [rounded(one.first_s) for one in fates],
        [rounded(one.waited_s) for one in fates],
        sum(results.is_good(one.arrival.prompt, one.first_s, one.token_s) for one in whole),
        len(fates) - len(whole),
        dict(Counter(one.service for one in whole)),
    )
