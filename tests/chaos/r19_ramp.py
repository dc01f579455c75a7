"""R19: an engine that returns gets its part of the requests little by little."""

import asyncio
from pathlib import Path

from gateway.breaker import State
from tests.chaos.load import OpenLoad
from tests.chaos.promise import Figure, Promise, none, told
from tests.fakes.answers import Answer, Pause
from tests.fakes.engine import Engine, Request, Script, openai
from tests.integration.gateway.front import Front, front

MODEL = "small"
COUNT = 3  # engines
ANSWER_S = 0.1
WARM_S = 0.5
BINS = 5  # of the time in which it returns
PATIENCE_S = 30.0


def run(
    folder: Path, *, rounds: int, slow_start: float, rate: float, scatter: float = 0.0
) -> list[Figure]:
    """Kill one of three engines under load and let it return, `rounds` times.

    slow_start: seconds of its return. rate: requests a second. scatter: points by which a
    share of few requests may be off by chance.
    """
    return asyncio.run(_measure(rounds, slow_start, rate, scatter))


async def _measure(rounds: int, slow_start: float, rate: float, scatter: float) -> list[Figure]:
    settings = {"ejection": {"failures": 3, "pause": 1.0, "slow_start": slow_start}}
    async with (
        Engine(_slow()) as first,
        Engine(_slow()) as second,
        Engine(_slow()) as third,
        front("protocol", **settings) as gateway,
    ):
        engines = (first, second, third)
        gateway.offer(*(one.address for one in engines), model=MODEL)
        load = OpenLoad(gateway.url, [MODEL], rate)
        task = asyncio.create_task(load.run())
        counts = [[0, 0] for _ in range(BINS + 1)]  # of the engine and of all; the last: after
        for _ in range(rounds):
            await asyncio.sleep(WARM_S)
            _count(engines, await _return(gateway, first, slow_start), slow_start, counts)
        task.cancel()
        await task
    cut = sum(bool(one.problem) and one.begun for one in load.samples)
    shares = [mine / max(1, of_all) for mine, of_all in counts]
    above = [share - (number + 1) / BINS / COUNT for number, share in enumerate(shares[:BINS])]
    return [
        told("requests while it returned", sum(of_all for _, of_all in counts[:BINS])),
        told("its share in the first fifth", round(100 * shares[0], 1), "%"),
        told("its share in the last fifth", round(100 * shares[BINS - 1], 1), "%"),
        Figure(
            "most above a linear ramp", round(100 * max(above), 1), "points", at_most=10 + scatter
        ),
        Figure("its share afterwards", round(100 * shares[BINS], 1), "%", at_least=20 - scatter),
        told("streams that were cut, because their engine was killed", cut),
        none("other requests that failed", load.failed - cut),
    ]


async def _return(gateway: Front, engine: Engine, slow_start: float) -> float:
    """Kill an engine and start it again; return when it came back, after it did wholly."""
    breaker = gateway.gateway.routes.upstreams["h/0"].breaker
    port = engine.port
    await engine.stop()
    async with asyncio.timeout(PATIENCE_S):
        while breaker.state is State.IN:  # noqa: ASYNC110  # it sends no events
            await asyncio.sleep(0.005)
        await engine.start(port)
        while breaker.state is not State.IN:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    begin = asyncio.get_running_loop().time()
    await asyncio.sleep(slow_start * (1 + 1 / BINS))
    return begin


def _count(
    engines: tuple[Engine, ...], begin: float, slow_start: float, counts: list[list[int]]
) -> None:
    for engine in engines:
        for request in engine.requests:
            number = int((request.arrived_at - begin) / slow_start * BINS)
            if request.method == "POST" and request.arrived_at >= begin and number <= BINS:
                counts[number][0] += engine is engines[0]
                counts[number][1] += 1
        engine.requests.clear()


def _slow() -> Script:
    """Return the script of an engine that takes a while for each answer."""
    answer = openai([MODEL])

    def script(request: Request) -> Answer:
        wait = [Pause(ANSWER_S)] if request.method == "POST" else []
        return [*wait, *answer(request)]

    return script


PROMISE = Promise(
    run,
    # 40 requests in a fifth of the time, of which every third one: twice 7 points.
    short={"rounds": 1, "slow_start": 2.0, "rate": 100.0, "scatter": 14.0},
    full={"rounds": 12, "slow_start": 10.0, "rate": 100.0},
)
