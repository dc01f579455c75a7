"""R13: a stream that stalls ends with an error, and who waits for its first token is told so."""

import asyncio
import json
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

from tests.chaos.promise import Figure, Promise, all_of, none, seconds, told
from tests.fakes import answers
from tests.fakes.answers import Answer, Hang, Pause
from tests.fakes.engine import Engine, Request
from tests.integration.gateway.front import Front, front, request

MODEL = "small"
WORDS = [f"word{n} " for n in range(20)]
EVENTS = answers.completion_events(WORDS, MODEL)
PING = b": ping\n\n"
LATE_S = 1.0
AT_ONCE = 50
# Else the only engine is soon kept out, and nobody else is told to wait for it.
NEVER_OUT = {"failures": 1_000, "share": 1.0, "requests": 100_000}

# What a client read, and when: seconds of the loop.
Read = tuple[float, bytes]


def run(
    folder: Path, *, streams: int, idle: float, waiting: int, wait: float, ping: float
) -> list[Figure]:
    """Stall `streams` after some tokens, and let `waiting` ones wait for their first.

    idle, wait, ping: seconds; the timeout, how long engines think, how often clients hear so.
    """
    figures = asyncio.run(_stalled(streams, idle))
    return figures + asyncio.run(_waiting(waiting, wait, ping))


async def _stalled(streams: int, idle: float) -> list[Figure]:
    draw = random.Random(13)

    def script(arrived: Request) -> Answer:
        sent = 1 + 2 * draw.randrange(1, len(EVENTS))  # its head, then a pause before each event
        return [*answers.events(EVENTS)[:sent], Hang()]

    settings = {"timeouts": {"idle": idle}, "ejection": NEVER_OUT}
    async with Engine(script) as engine, front("protocol", **settings) as gateway:
        gateway.offer(engine.address)
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask() -> list[Read]:
            async with slots:
                return await _read(gateway)

        heard = await asyncio.gather(*(ask() for _ in range(streams)))
    ended = [reads for reads in heard if _ends_with_one_error(reads)]
    took = [reads[-1][0] - reads[-2][0] for reads in ended if len(reads) > 1]
    return [
        all_of("stalled streams that ended with one error", len(ended), streams),
        told("idle timeout", idle, "s"),
        seconds("from the last token to the error, median", median(took)),
        seconds("from the last token to the error, longest", max(took), at_most=idle + LATE_S),
    ]


def _ends_with_one_error(reads: Sequence[Read]) -> bool:
    text = b"".join(data for _, data in reads)
    return text.count(b'{"error"') == 1 and b"upstream_timeout" in text and b"[DONE]" not in text


async def _waiting(clients: int, wait: float, ping: float) -> list[Figure]:
    head, *rest = answers.events(EVENTS)
    timeouts = {"first_byte": wait + 60, "first_event": wait + 60, "ping": ping}
    silent = told_soon = 0
    longest = 0.0
    # An engine thinks before its head, or after it.
    for answer in ([Pause(wait), head, *rest], [head, Pause(wait), *rest]):
        async with (
            Engine(lambda _, answer=answer: answer) as engine,
            front("protocol", timeouts=timeouts) as gateway,
        ):
            gateway.offer(engine.address)
            begin = asyncio.get_running_loop().time()
            for reads in await asyncio.gather(*(_read(gateway) for _ in range(clients))):
                text = b"".join(data for _, data in reads)
                times = [begin, *(at for at, _ in reads)]
                gaps = [later - at for at, later in pairwise(times)]
                longest = max(longest, *gaps)
                silent += text.count(PING) < wait / (ping + LATE_S) - 1
                told_soon += text.endswith(b"".join(EVENTS))
    return [
        told("silence before the first token", wait, "s"),
        all_of("clients that got their answer after it", told_soon, 2 * clients),
        none("clients that heard too little meanwhile", silent),
        seconds("longest time in which a client heard nothing", longest, at_most=ping + LATE_S),
    ]


async def _read(gateway: Front) -> list[Read]:
    """Return what a client of a stream reads until its connection is closed."""
    loop = asyncio.get_running_loop()
    reader, writer = await gateway.connect()
    body = json.dumps({"model": MODEL, "messages": [], "stream": True}).encode()
    writer.write(request(body, "Connection: close", version="1.0"))
    reads = []
    try:
        while data := await reader.read(1 << 16):
            reads.append((loop.time(), data))
    finally:
        writer.close()
    return reads


PROMISE = Promise(
    run,
    short={"streams": 20, "idle": 0.5, "waiting": 5, "wait": 2.0, "ping": 0.3},
    full={"streams": 500, "idle": 5.0, "waiting": 100, "wait": 120.0, "ping": 15.0},
)
