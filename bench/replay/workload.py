"""A part of a trace, stretched so that it is a certain load for a fleet. Pure."""

import random
from collections.abc import Sequence

from bench.replay.engines import MODEL_SHARES, NEW_TOKENS, Request, Spec, capacity, models
from bench.replay.trace import Entry

# A trace that was taken in steps of so many seconds brings requests in heaps, as nobody sends.
STEP_S = 3.0
# From which share of times on steps a trace was taken so.
STEPPED = 0.9
WINDOWS = 3  # places where a part of a trace without sessions may begin


def part(trace: Sequence[Entry], count: int, rng: random.Random, seed: int) -> list[Entry]:
    """Return about `count` requests: whole sessions drawn by `rng`, or else a window."""
    if all(one.session < 0 for one in trace):
        start = max(0, len(trace) - count) * seed // WINDOWS
        return list(trace[start : start + count])
    sessions = sorted({one.session for one in trace})
    rng.shuffle(sessions)
    if count < len(trace):
        sessions = sessions[: max(1, len(sessions) * count // len(trace))]
    chosen = set(sessions)
    return [one for one in trace if one.session in chosen]


def workload(
    trace: Sequence[Entry],
    fleet: Sequence[Spec],
    load: float,
    count: int,
    seed: int,
    gateways: int = 2,
) -> list[Request]:
    """Return about `count` requests of a trace, as they come to one of the gateways each.

    load: share of what the fleet completes without any cache. seed: what part, and who comes
    where.
    """
    rng = random.Random(seed)
    chosen = part(trace, count, rng, seed)
    prompts = [max(NEW_TOKENS + 1, one.prompt) for one in chosen]
    answers = [max(2, one.answer) for one in chosen]
    mean_prompt, mean_answer = sum(prompts) / len(chosen), sum(answers) / len(chosen)
    seconds = len(chosen) / (capacity(fleet, mean_prompt, mean_answer) * load)
    began = chosen[0].at
    stretch = seconds / max(1e-9, chosen[-1].at - began)
    spread = STEP_S if stepped(chosen) else 0.0
    times = sorted((one.at - began + rng.random() * spread) * stretch for one in chosen)
    kinds = models(fleet)
    model_of: dict[int, int] = {}
    requests = []
    for number, (one, at) in enumerate(zip(chosen, times, strict=True)):
        gateway = rng.randrange(gateways)  # whatever a client asked before
        (drawn,) = rng.choices(range(kinds), MODEL_SHARES[:kinds])
        model = model_of.setdefault(one.session, drawn)
        blocks = one.blocks if kinds == 1 else tuple((model, block) for block in one.blocks)
        prompt, answer = prompts[number], answers[number]
        requests.append(Request(number, at, prompt, answer, blocks, one.session, gateway, model))
    return requests


def stepped(entries: Sequence[Entry]) -> bool:
    """Return whether the times of a trace are whole steps of `STEP_S`."""
    early, late = 0.002, STEP_S - 0.01
    on_step = sum(one.at % STEP_S < early or one.at % STEP_S > late for one in entries)
    return on_step > STEPPED * len(entries)
