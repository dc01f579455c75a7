"""R6: when every engine fails, attempts elsewhere do not multiply what they get."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.chaos.engines import MODEL, services
from tests.chaos.load import OpenLoad, loading
from tests.chaos.promise import Figure, Promise, seconds, told
from tests.chaos.world import serving
from tests.fakes import answers
from tests.fakes.answers import Answer, Pause, Reset
from tests.fakes.engine import Engine, Request, Script, openai

RATE = 200.0
SHARE, MINIMUM = 1.2, 3
HEALED_S = 2.0

WAYS: dict[str, Answer] = {
    "500": answers.failure(500, "it broke"),
    "503": answers.failure(503, "not now"),
    "reset": [Reset()],
}
# Breakers end most attempts before the budget has to, so it is measured without them, too, and
# with engines that take a while to fail. A fifth of what is under way, retries included, is a
# quarter more of attempts, and somewhat more where requests come in bursts; without a budget
# it is three times as many.
NO_BREAKERS = {"ejection": {"failures": 1_000, "share": 1.0, "requests": 100_000}}
SLOWLY: Answer = [Pause(0.2), *answers.failure(500, "it broke")]
SHARE_ALONE = 1.5


def run(
    folder: Path, *, ways: tuple[str, ...], out: float, after: float, alone: float
) -> list[Figure]:
    """Let all of three engines fail for `out` seconds in each way, and `after` be well again.

    alone: seconds for which they fail while only the budget bounds attempts.
    """
    folders = folder / "all", folder / "alone"
    for one in folders:
        one.mkdir()
    return asyncio.run(_measure(*folders, ways, out, after, alone))


async def _measure(
    folder: Path,
    folder_alone: Path,
    ways: tuple[str, ...],
    out: float,
    after: float,
    alone: float,
) -> list[Figure]:
    figures: list[Figure] = []
    async with _running(folder) as (engines, url):
        for way in ways:
            load = OpenLoad(url, [MODEL], RATE)
            figures += await _one_outage(load, engines, way, out, after)
    async with _running(folder_alone, **NO_BREAKERS) as (engines, url):
        figures += await _without_breakers(OpenLoad(url, [MODEL], RATE), engines, alone)
    return [told("requests a second", RATE), *figures]


@asynccontextmanager
async def _running(folder: Path, **settings: Any) -> AsyncIterator[tuple[list[Engine], str]]:
    """Run three engines behind a gateway; yields them and its address."""
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(Engine(_well)) for _ in range(3)]
        served = serving(folder, services([one.address for one in engines]), **settings)
        here = await asyncio.to_thread(stack.enter_context, served)
        yield engines, f"http://127.0.0.1:{here.port}"


_well = openai([MODEL])


async def _one_outage(
    load: OpenLoad, engines: list[Engine], way: str, out: float, after: float
) -> list[Figure]:
    loop = asyncio.get_running_loop()
    failing = _Counting(WAYS[way])
    async with loading(load):
        begin = loop.time()
        _play(engines, failing.script)
        await asyncio.sleep(out)
        _play(engines, _well)
        healed = loop.time()
        await asyncio.sleep(after)
    hurt = [one for one in load.samples if begin <= one.due < healed]
    late = [one.due for one in load.samples if one.due >= healed and one.problem]
    return [
        told(f"{way}: requests while all engines fail", len(hurt)),
        Figure(
            f"{way}: attempts at engines meanwhile",
            failing.attempts,
            at_most=round(SHARE * len(hurt) + MINIMUM),
        ),
        seconds(
            f"{way}: until the last failure, after engines were well",
            max(late, default=healed) - healed,
            at_most=HEALED_S,
        ),
    ]


async def _without_breakers(load: OpenLoad, engines: list[Engine], out: float) -> list[Figure]:
    failing = _Counting(SLOWLY)
    async with loading(load):
        _play(engines, failing.script)
        await asyncio.sleep(out)
    requests = len(failing.requests)
    return [
        told("no breakers: requests while all engines fail", requests),
        Figure(
            "no breakers: attempts at engines meanwhile",
            failing.attempts,
            at_most=round(SHARE_ALONE * requests + MINIMUM),
        ),
    ]


class _Counting:
    """A script that counts how often it was played, and for which requests."""

    def __init__(self, answer: Answer) -> None:
        self.attempts = 0
        self.requests: set[str | None] = set()
        self._answer = answer

    def script(self, asked: Request) -> Answer:
        if asked.method == "POST":  # and no look of the gateway
            self.attempts += 1
            self.requests.add(asked.header("x-request-id"))
        return self._answer


def _play(engines: list[Engine], script: Script) -> None:
    for engine in engines:
        engine.script = script


PROMISE = Promise(
    run,
    short={"ways": ("500",), "out": 1.5, "after": 1.0, "alone": 1.0},
    full={"ways": tuple(WAYS), "out": 60.0, "after": 10.0, "alone": 10.0},
)
