"""R6: when every engine fails, attempts elsewhere do not multiply what they get."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from tests.chaos.engines import MODEL, services
from tests.chaos.load import OpenLoad, loading
from tests.chaos.promise import Figure, Promise, seconds, told
from tests.chaos.world import serving
from tests.fakes import answers
from tests.fakes.answers import Answer, Reset
from tests.fakes.engine import Engine, Request, Script, openai

RATE = 200.0
SHARE, MINIMUM = 1.2, 3
HEALED_S = 2.0

WAYS: dict[str, Answer] = {
    "500": answers.failure(500, "it broke"),
    "503": answers.failure(503, "not now"),
    "reset": [Reset()],
}


def run(folder: Path, *, ways: tuple[str, ...], out: float, after: float) -> list[Figure]:
    """Let all of three engines fail for `out` seconds in each way, and `after` be well again."""
    return asyncio.run(_measure(folder, ways, out, after))


async def _measure(folder: Path, ways: tuple[str, ...], out: float, after: float) -> list[Figure]:
    figures: list[Figure] = []
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(Engine(_well)) for _ in range(3)]
        addresses = [one.address for one in engines]
        here = await asyncio.to_thread(stack.enter_context, serving(folder, services(addresses)))
        for way in ways:
            load = OpenLoad(f"http://127.0.0.1:{here.port}", [MODEL], RATE)
            figures += await _one_outage(load, engines, way, out, after)
    return [told("requests a second", RATE), *figures]


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


class _Counting:
    """A script that counts how often it was played."""

    def __init__(self, answer: Answer) -> None:
        self.attempts = 0
        self._answer = answer

    def script(self, asked: Request) -> Answer:
        self.attempts += 1
        return self._answer


def _play(engines: list[Engine], script: Script) -> None:
    for engine in engines:
        engine.script = script


PROMISE = Promise(
    run,
    short={"ways": ("500",), "out": 1.5, "after": 2.0},
    full={"ways": tuple(WAYS), "out": 60.0, "after": 10.0},
)
