"""R48: a worker that dies while requests wait takes along its own clients and nothing else."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

from tests.chaos.promise import Figure, Promise, all_of, none, seconds, told
from tests.chaos.waiting import MODEL, Gauges, asked, gauges, slotted, slowly
from tests.chaos.world import Served, models_at, serving
from tests.fakes.answers import Answer
from tests.fakes.engine import Engine, Request
from tests.integration.gateway.test_workers import gone, pids
from tests.processes import wait_until

WORKERS, SLOTS = 2, 4
LOOKS = 8  # new connections in a row that meet each of two workers
HELD_S, ANSWER_S = 1.0, 0.02
NOTICED_S = 0.3  # in which an engine sees that connections are gone
PATIENCE_S = 30.0
DONE_S = 10.0


class CountingEngine(Engine):
    """Holds the first requests for a while; knows the most that it had at once."""

    def __init__(self, held: int) -> None:
        super().__init__(self._answer)
        self._held = held
        self.most = 0

    def _answer(self, asked: Request) -> Answer:
        playing = [wire.playing for wire in self.open]  # an answer that is sent is over
        there = sum(one is not None and not one.done() for one in playing)
        self.most = max(self.most, there)
        self._held -= 1
        return slowly(HELD_S if self._held >= 0 else ANSWER_S)

    def hold(self, count: int) -> None:
        """Hold the next ones, too, and count anew."""
        self._held, self.most = count, 0


def run(folder: Path, *, rounds: int, clients: int) -> list[Figure]:
    """Kill one of two workers while `clients` wait or are served; so many times."""
    return asyncio.run(_measure(folder, rounds, clients))


async def _measure(folder: Path, rounds: int, clients: int) -> list[Figure]:
    ended: Counter[int] = Counter()
    most, idle_s, together = 0, 0.0, 0
    async with CountingEngine(0) as engine:
        with serving(folder, [slotted("h/0", engine.address, SLOTS)], workers=WORKERS) as here:
            async with gauges(here.port) as said:
                for _ in range(rounds):
                    await asyncio.to_thread(_settle, here)
                    ended += await _round(here, engine, said, clients)
                    most = max(most, engine.most)
                    idle_s = max(idle_s, await said.until_idle(PATIENCE_S))
                    # All places are there again, for as many at once.
                    await asyncio.to_thread(_settle, here)
                    engine.hold(SLOTS)
                    again = await asyncio.gather(*(asked(here.port) for _ in range(SLOTS)))
                    together += engine.most if [ok for ok, _ in again] == [200] * SLOTS else 0
    lost = ended.pop(0, 0)
    return [
        told("clients that waited or were served when a worker was killed", rounds * clients),
        Figure("of them at that worker", lost, at_least=1),
        all_of("of the others answered", ended[200], rounds * clients - lost),
        none("requests too many at the engine at any time", max(0, most - SLOTS)),
        seconds("until the gateway counts nothing any more", idle_s, at_most=DONE_S),
        all_of("slots used at once afterwards", together, rounds * SLOTS),
    ]


async def _round(here: Served, engine: CountingEngine, said: Gauges, clients: int) -> Counter[int]:
    """Let clients wait, kill a worker, and return how each of them ended, by status."""
    engine.hold(SLOTS)
    ask = [asyncio.create_task(asked(here.port, patience=PATIENCE_S)) for _ in range(clients)]
    await engine.until(lambda: engine.in_flight == SLOTS, PATIENCE_S)
    os.kill(pids(here.gateway)[1], signal.SIGKILL)
    await asyncio.sleep(NOTICED_S)
    engine.most = 0  # it may have heard of the next before it heard that the dead have left
    return Counter([status for status, _ in await asyncio.gather(*ask)])


def _settle(here: Served) -> None:
    """Wait until both workers serve and have routes."""
    url = f"http://127.0.0.1:{here.port}"

    def serve() -> bool:
        alive = [pid for pid in pids(here.gateway).values() if not gone(pid)]
        return len(alive) == WORKERS and all(MODEL in models_at(url) for _ in range(LOOKS))

    wait_until(serve, PATIENCE_S, "both serve")


PROMISE = Promise(run, short={"rounds": 1, "clients": 40}, full={"rounds": 10, "clients": 100})
