"""R4: an engine that hangs delays nobody for long, and is soon left alone."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import faults
from tests.chaos.calls import service
from tests.chaos.engines import fakes, mortals
from tests.chaos.load import OpenLoad, loading
from tests.chaos.promise import Figure, Promise, milliseconds, none, told
from tests.chaos.proxy import proxying
from tests.chaos.world import serving
from tests.fakes import answers
from tests.fakes.answers import Answer, Hang, Send, Step
from tests.fakes.engine import Engine, Request, Script, openai

# Ways to hang: each is a name that two good engines serve, and one that will hang so.
STOPPED, MUTE, HEAD_ONLY = WAYS = ("stopped", "mute", "head only")
RATE = 50.0  # of each name
DEADLINE_S, LATE_S = 4.0, 0.25
FAILURES = 5  # until an engine is out
MARGIN_S = 0.5  # until a failure is noticed
SAMPLES = 500  # of fewer, the p99 is the slowest or so
ADDED_S, FACTOR = 0.005, 1.2  # what others may take longer, whichever is more


@dataclass(slots=True)
class Arrivals:
    """When requests came to an engine that hangs, in monotonic seconds."""

    of_clients: list[float] = field(default_factory=list)
    of_the_gateway: list[float] = field(default_factory=list)  # it looks for itself

    def note(self, method: str) -> None:
        (self.of_clients if method == "POST" else self.of_the_gateway).append(time.monotonic())

    def passing(self, data: bytes, at: int) -> Iterator[Step]:
        """Note the requests of a connection: a fault that lets everything pass."""
        if data.startswith((b"POST ", b"GET ")):
            self.note(data.partition(b" ")[0].decode())
        yield from faults.clear(data, at)

    def instead(self, answer: Answer) -> Script:
        """Return a script that notes each request and gives `answer`."""

        def script(asked: Request) -> Answer:
            self.note(asked.method)
            return answer

        return script

    def out_at(self, begin: float, wait: float) -> float:
        """Return when it was out for sure, if it hangs since `begin`."""
        counted = [at for at in self.of_clients if at >= begin][:FAILURES]
        return max(counted, default=begin) + wait + MARGIN_S


def run(folder: Path, *, wait: float, pause: float, hung: float, baseline: float) -> list[Figure]:
    """Let one of three engines hang in each way, all at once, for `hung` seconds.

    wait: how long the gateway waits for an engine to say something. pause: how long it
    leaves one alone. baseline: seconds of load before.
    """
    timeouts = {"first_byte": wait, "first_event": wait, "idle": wait, "total": DEADLINE_S}
    settings = {"timeouts": timeouts, "ejection": {"pause": pause, "failures": FAILURES}}
    return asyncio.run(_measure(folder, settings, wait, pause, hung, baseline))


async def _measure(
    folder: Path,
    settings: Mapping[str, Any],
    wait: float,
    pause: float,
    hung: float,
    baseline: float,
) -> list[Figure]:
    arrivals = {way: Arrivals() for way in WAYS}
    async with AsyncExitStack() as stack:
        mute = await stack.enter_async_context(Engine(openai(WAYS)))
        head_only = await stack.enter_async_context(Engine(openai(WAYS)))
        one, other, victim = stack.enter_context(mortals(*fakes(folder, 3, WAYS)))
        way_there = stack.enter_context(proxying(victim.port))
        services = [
            # Of idle engines the first by name is asked: those that never hang, before and after.
            service("h/one", one.address, WAYS),
            service("h/other", other.address, WAYS),
            service("h/stopped", way_there.address, [STOPPED]),
            service("h/then-mute", mute.address, [MUTE]),
            service("h/then-head-only", head_only.address, [HEAD_ONLY]),
        ]
        here = stack.enter_context(serving(folder, services, **settings))
        url = f"http://127.0.0.1:{here.port}"
        loads = {way: OpenLoad(url, [way], RATE) for way in WAYS}
        async with loading(*loads.values()):
            warm = time.monotonic()
            await asyncio.sleep(baseline)
            begin = time.monotonic()
            stack.enter_context(victim.life.frozen())
            way_there.fault = arrivals[STOPPED].passing
            mute.script = arrivals[MUTE].instead([Hang()])
            head_only.script = arrivals[HEAD_ONLY].instead([_HEAD, Hang()])
            await asyncio.sleep(hung)
            end = time.monotonic()
    figures = [told("requests to each name, at 50 a second", RATE * hung)]
    for way, load in loads.items():
        figures += _figures(way, load, arrivals[way], (warm, begin, end), wait, pause)
    return figures


_HEAD = Send(answers.head(200, [("Content-Type", "text/event-stream")]))


def _figures(
    way: str,
    load: OpenLoad,
    arrivals: Arrivals,
    times: tuple[float, float, float],
    wait: float,
    pause: float,
) -> list[Figure]:
    warm, begin, end = times
    if load.failed:
        print(way, dict(load.problems))  # for who looks into the log
    out = arrivals.out_at(begin, wait)
    normal, others = load.p99(warm, begin), load.p99(out, end)
    judged = (end - out) * RATE >= SAMPLES
    at_most = (DEADLINE_S + LATE_S) * 1_000
    added = max(normal * (FACTOR - 1), ADDED_S) * 1_000
    cut = sum(bool(one.problem) and one.begun for one in load.samples)
    return [
        none(f"{way}: requests that failed before a byte", load.failed - cut),
        told(f"{way}: streams that it had begun", cut),
        milliseconds(f"{way}: slowest of all", max(one.seconds for one in load.samples), at_most),
        told(f"{way}: seconds until it was out", round(out - begin, 2)),
        Figure(
            f"{way}: requests of clients that reached it then, most in any pause",
            _most(arrivals.of_clients, out, pause),
            at_most=1,
        ),
        Figure(
            f"{way}: looks of the gateway that reached it, most in any pause",
            _most(arrivals.of_the_gateway, begin, pause),
            at_most=1,
        ),
        milliseconds(f"{way}: p99 before", normal),
        milliseconds(
            f"{way}: p99 added once it was out", others - normal, added if judged else None
        ),
    ]


def _most(times: Sequence[float], since: float, span: float) -> int:
    """Return the most of `times` after `since` that lie within one span of that many seconds."""
    late = [at for at in times if at >= since]
    return max((sum(at <= one < at + span for one in late) for at in late), default=0)


PROMISE = Promise(
    run,
    short={"wait": 0.2, "pause": 1.0, "hung": 4.0, "baseline": 1.0},
    full={"wait": 1.0, "pause": 10.0, "hung": 90.0, "baseline": 20.0},
)
