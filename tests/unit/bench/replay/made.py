"""Traces and fleets that are small."""

import random

from bench.replay.engines import Request, Spec
from bench.replay.trace import Entry

QUICK = Spec("quick", 2, 1_000, 10, 0.5, 8)


def request(number=0, at=0.0, prompt=980, answer=11, blocks=(), model=0):
    """Return a request that a `QUICK` engine reads in 1 s and answers in 1 s more."""
    return Request(number, at, prompt, answer, blocks, session=-1 - number, model=model)


def conversation(count=300):
    """Return a trace with sessions that go on."""
    rng = random.Random(7)
    return [
        Entry(
            float(number),
            1_000 + 512 * (number // 30),
            20 + rng.randrange(200),
            1 + number % 30,
            (0, *(1 + number % 30 + 100 * part for part in range(2 + number // 30))),
        )
        for number in range(count)
    ]


def singles(count=300):
    """Return a trace without sessions."""
    rng = random.Random(8)
    return [
        Entry(1.3 * number, rng.randrange(50, 3_000), rng.randrange(1, 300), -1 - number)
        for number in range(count)
    ]
