"""R9: a service that was out of rotation always returns, soon after it works again."""

import asyncio
import random
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import httpx
from geniehive.v1 import routing_service_pb2 as pb

from control.api.errors import UpstreamTimeout
from gateway.breaker import State
from tests.chaos.load import OpenLoad
from tests.chaos.promise import Figure, Promise, all_of, milliseconds, none, quantile, seconds, told
from tests.fakes import answers
from tests.fakes.answers import Answer, Close, Hang, Pause, Reset, Send
from tests.fakes.engine import Engine, Request, openai
from tests.integration.gateway.front import CHAT, Front, front, request
from tests.unit.gateway.pushed import service, target

WAIT_S = 1.0  # for an engine to say something
RATE = 5.0  # requests a second of each name
PATIENCE_S = 30.0
LOOK_S = 0.005
TRIAL_S = 1.0  # for the answer to who tries an engine
MODEL = "small"
GONE = "gone"
WORKS = Send(answers.head(200, [("Content-Length", "0")]))
# What an engine may do instead of its work; GONE: it does not even listen.
FAULTS: dict[str, Answer] = {
    GONE: [],
    "hangs": [Hang()],
    "hangs in its answer": [
        Send(answers.head(200, [("Content-Type", "application/json")])),
        Hang(),
    ],
    "closes": [Close()],
    "resets": [Reset()],
    "500": answers.failure(500, "x", "server_error"),
    "503": answers.failure(503, "x", "unavailable_error"),
    "HTML": answers.whole(b"<html>", headers=[("Content-Type", "text/html")]),
    "not HTTP": [Send(b"220 smtp\r\n\r\n"), Close()],
}


def run(
    folder: Path, *, names: int, rounds: int, pause: float, asked: int, seed: int = 9
) -> list[Figure]:
    """Break and heal engines at random under load; then let all of a name be broken.

    names: each served by an engine that breaks `rounds` times, and one that never does.
    pause: seconds until a service is looked at again. asked: requests while all are broken.
    """
    return [
        *asyncio.run(_heal(names, rounds, pause, random.Random(seed))),
        *asyncio.run(_burst(500)),
        *asyncio.run(_all_broken(asked)),
    ]


async def _heal(names: int, rounds: int, pause: float, draw: random.Random) -> list[Figure]:
    waits = {"first_byte": WAIT_S, "first_event": WAIT_S, "idle": WAIT_S, "total": 5.0}
    ejection = {"failures": 3, "pause": pause, "slow_start": 0.5}
    models = [f"m{number}" for number in range(names)]
    engines = [Engine(openai(models)) for _ in range(names + 1)]
    async with front("protocol", timeouts=waits, ejection=ejection) as gateway:
        for engine in engines:
            await engine.start()
        gateway.route(_pairs(models, [engine.address for engine in engines]))
        load = OpenLoad(gateway.url, models, names * RATE)
        task = asyncio.create_task(load.run())
        lives = [
            _broken_and_healed(
                gateway, number, engines[number], rounds, pause, random.Random(draw.random())
            )
            for number in range(names)
        ]
        found = [time for times in await asyncio.gather(*lives) for time in times]
        task.cancel()
        await task
        await gateway.idle(PATIENCE_S)
        for engine in engines:
            await engine.stop()
    cut = sum(bool(one.problem) and one.begun for one in load.samples)
    out = [took for took in found if took is not None]
    return [
        told("faults of engines", len(found)),
        told("of them, put out of rotation", len(out)),
        all_of("back in rotation", sum(took < PATIENCE_S for took in out), len(out)),
        seconds("longest until it was back", max(out), pause + 1),
        told("streams that their engine cut", cut),
        none("other requests that failed, though an engine worked", load.failed - cut),
    ]


def _pairs(models: Sequence[str], addresses: Sequence[str]) -> list[pb.Resource]:
    """Return a table where each model is served by an engine of its own and by the last one."""
    *breaking, good = addresses
    services = [service(f"h/{number}", address) for number, address in enumerate(breaking)]
    # The last one in order: of two that are idle the other one is asked.
    last = "h/z"
    services.append(service(last, good))
    targets = [
        target(model, *((one, 1, {"asset_id": model}) for one in (f"h/{number}", last)))
        for number, model in enumerate(models)
    ]
    for resource in (*services, *targets):
        resource.hash = 0  # the table of a front has none
    return [*services, *targets]


async def _broken_and_healed(
    gateway: Front,
    number: int,
    engine: Engine,
    rounds: int,
    pause: float,
    draw: random.Random,
) -> list[float | None]:
    """Break one engine so often; return how long after each healing it was back, if it was out."""
    breaker = gateway.gateway.routes.upstreams[f"h/{number}"].breaker
    works, port = engine.script, engine.port
    found: list[float | None] = []
    for _ in range(rounds):
        fault = draw.choice(list(FAULTS))
        if fault == GONE:
            await engine.stop()
        else:
            engine.script = partial(_instead, FAULTS[fault])
        # Long enough to fall, and up to the first checkup or beyond.
        await asyncio.sleep(1.5 + pause * draw.random())
        if fault == GONE:
            await engine.start(port)
        engine.script = works
        healed = time.monotonic()
        out = breaker.state is not State.IN
        while breaker.state is not State.IN and time.monotonic() < healed + PATIENCE_S:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        found.append(time.monotonic() - healed if out else None)
    return found


def _instead(answer: Answer, _: Request) -> Answer:
    return answer


async def _burst(count: int) -> list[Figure]:
    """Send `count` requests at once while one may try an engine; count how many do."""
    late = [Pause(TRIAL_S), *answers.document(answers.completion("late", MODEL))]
    async with (
        Engine(partial(_instead, FAULTS["500"])) as engine,
        Engine(openai([MODEL])) as other,
        front("protocol", ejection={"failures": 1, "pause": 0.5}) as gateway,
    ):
        gateway.offer(engine.address, other.address, model=MODEL)
        breaker = gateway.gateway.routes.upstreams["h/0"].breaker
        await gateway.post({"model": MODEL})
        assert breaker.state is State.OUT
        engine.requests.clear()
        engine.script = lambda asked: late if asked.method == "POST" else [WORKS]
        async with asyncio.timeout(PATIENCE_S):
            while not breaker.may_be_tried:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(LOOK_S)
        connections = [await gateway.connect() for _ in range(count)]
        for _, writer in connections:
            writer.write(request(b'{"model":"small"}', "Connection: close"))
        read = await asyncio.gather(*(reader.read() for reader, _ in connections))
        good = sum(answer.startswith(b"HTTP/1.1 200") for answer in read)
        for _, writer in connections:
            writer.close()
        tried = [one.arrived_at for one in engine.requests if one.method == "POST"]
        at_once = sum(at < tried[0] + TRIAL_S for at in tried)
    return [
        all_of("answered of a burst while one may be tried", good, count),
        Figure("of them, tried it at once", at_once, at_most=1),
    ]


async def _all_broken(asked: int) -> list[Figure]:
    """Ask when all engines of a name hang, and when none of them listens."""
    async with front("protocol", ejection={"failures": 1, "pause": PATIENCE_S}) as gateway:
        engines = [Engine(partial(_instead, FAULTS["hangs"])) for _ in range(3)]
        for engine in engines:
            await engine.start()
        gateway.offer(*(engine.address for engine in engines), model=MODEL)
        for upstream in gateway.gateway.routes.upstreams.values():
            upstream.breaker.failed(upstream.breaker.epoch, UpstreamTimeout("x"), upstream.now())
        async with _client(gateway) as client:
            # One request finds out of each whether it still hangs; what others are told is timed.
            trials = [asyncio.create_task(_ask(client)) for _ in engines]
            for engine in engines:
                await engine.until(partial(len, engine.requests), PATIENCE_S)
            silent = [await _ask(client) for _ in range(asked)]
            for trial in trials:
                trial.cancel()
            await asyncio.wait(trials)
            for engine in engines:
                await engine.stop()
            await gateway.idle(PATIENCE_S)
            gone = [await _ask(client) for _ in range(asked)]
    return [*_told("all hang", silent), *_told("nobody listens", gone)]


async def _ask(client: httpx.AsyncClient) -> tuple[float, httpx.Response]:
    """Return how long an answer took, and the answer."""
    begin = time.monotonic()
    answer = await client.post(CHAT, json={"model": MODEL})
    return time.monotonic() - begin, answer


def _told(when: str, found: Sequence[tuple[float, httpx.Response]]) -> list[Figure]:
    """Return what clients were told: once more soon, and at once."""
    clear = sum(one.status_code == 503 and "retry-after" in one.headers for _, one in found)
    return [
        all_of(f"{when}: told 503 with Retry-After", clear, len(found)),
        milliseconds(f"{when}: p99 of that", quantile([took for took, _ in found], 0.99), 50),
    ]


def _client(gateway: Front) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(
        base_url=gateway.url, trust_env=False, timeout=PATIENCE_S, limits=limits
    )


PROMISE = Promise(
    run,
    # Asked so often that the slowest of them alone is no p99.
    short={"names": 8, "rounds": 1, "pause": 0.5, "asked": 200},
    full={"names": 14, "rounds": 36, "pause": 2.0, "asked": 500},
)
