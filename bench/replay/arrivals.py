"""What is sent in real time: when each request is due, and what it says. Pure."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.replay.trace import BLOCK_TOKENS, Entry
from bench.replay.workload import STEP_S, part, stepped

# Short, and known to all tokenizers: each is about one token.
WORDS = (
    "time",
    "year",
    "people",
    "way",
    "day",
    "man",
    "thing",
    "woman",
    "life",
    "child",
    "world",
    "school",
    "state",
    "family",
    "student",
    "group",
    "country",
    "problem",
    "hand",
    "part",
    "place",
    "case",
    "week",
    "company",
    "system",
    "program",
    "question",
    "work",
    "government",
    "number",
    "night",
    "point",
    "home",
    "water",
    "room",
    "mother",
    "area",
    "money",
    "story",
    "fact",
    "month",
    "lot",
    "right",
    "study",
    "book",
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request to come. due: seconds after the beginning. prompt, answer: tokens."""

    number: int
    due: float
    prompt: int
    answer: int
    blocks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """How a trace is sent. One of rate and speed is 0.

    rate: requests a second, on the average. speed: times that of the trace. duration: seconds,
    0 for all of it. count: how many requests are taken of the trace, as whole sessions or as a
    window; 0 for all, or for as many as a rate brings in the duration. scale: of the lengths of
    prompts and answers. seed: which part is taken.
    """

    rate: float = 0.0
    speed: float = 1.0
    duration: float = 0.0
    count: int = 0
    scale: float = 1.0
    seed: int = 0


def arrivals(trace: Sequence[Entry], pace: Pace) -> list[Arrival]:
    """Return what is to be sent, in order."""
    rng = random.Random(pace.seed)
    count = pace.count or math.ceil(pace.rate * pace.duration) or len(trace)
    chosen = part(trace, count, rng, pace.seed)
    began = chosen[0].at
    spread = STEP_S if stepped(chosen) else 0.0
    times = sorted(one.at - began + rng.random() * spread for one in chosen)
    stretch = 1 / pace.speed if pace.speed else 1.0
    if pace.rate:
        stretch = len(chosen) / pace.rate / max(1e-9, times[-1])
    last = pace.duration or float("inf")
    return [
        Arrival(
            number,
            at * stretch,
            max(1, round(one.prompt * pace.scale)),
            max(1, round(one.answer * pace.scale)),
            one.blocks,
        )
        for number, (one, at) in enumerate(zip(chosen, times, strict=True))
        if at * stretch <= last
    ]


def prompt(arrival: Arrival, scale: float) -> str:
    """Return a text of about so many tokens as the prompt has.

    Those that share blocks in the trace begin with the same words. scale: of lengths.
    """
    words: list[str] = []
    for block in arrival.blocks:
        if len(words) >= arrival.prompt:
            break
        words.extend(_words(f"block {block}", max(1, round(BLOCK_TOKENS * scale))))
    missing = arrival.prompt - len(words)
    if missing > 0:
        words.extend(_words(f"request {arrival.number}", missing))
    return " ".join(words[: arrival.prompt])


def _words(seed: str, count: int) -> list[str]:
    return random.Random(seed).choices(WORDS, k=count)


def body(arrival: Arrival, model: str, scale: float, *, whole: bool) -> dict[str, object]:
    """Return the body of the request.

    whole: whether the engine is asked to write on until the answer is as long as in the trace.
    """
    content: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": prompt(arrival, scale)}],
        "max_tokens": arrival.answer,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return {**content, "ignore_eos": True} if whole else content
