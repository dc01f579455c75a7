"""R15: what is beyond what engines can do is refused at once, and the rest is served as before."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import family, usage
from tests.chaos.promise import Figure, Promise, milliseconds, none, quantile, told
from tests.chaos.pulse import pulse
from tests.chaos.waiting import slotted
from tests.chaos.world import serving
from tests.fakes import answers
from tests.fakes.answers import Answer, Pause
from tests.fakes.engine import Engine, Request
from tests.integration.gateway.front import request

MEBIBYTE = 1 << 20
ENGINES, SLOTS, SERVICE_S = 2, 4, 0.05
CAPACITY = ENGINES * SLOTS / SERVICE_S  # requests a second
WAITING = 3 * ENGINES * SLOTS  # so that nobody waits for more than three answers
IN_TIME_S = 0.5
PATIENCE_S = 10.0
AFTER_S = 5.0  # until all is as before
BODY = request(b'{"model":"m","messages":[{"role":"user","content":"hello"}]}')


class SlottedEngine(Engine):
    """Serves as many requests at a time as it has slots, all in the same time; others queue."""

    def __init__(self) -> None:
        super().__init__(self._served)
        self._free = [0.0] * SLOTS  # when each slot is, seconds of the monotonic clock

    def _served(self, asked: Request) -> Answer:
        now = time.monotonic()
        slot = self._free.index(min(self._free))
        self._free[slot] = max(now, self._free[slot]) + SERVICE_S
        return [Pause(self._free[slot] - now), *answers.document({"ok": 1})]


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. status: 0 for no answer.

    seconds: until its whole answer, from when it was due; took: from when it was sent, which a
    client that is late itself does late.
    """

    status: int
    seconds: float
    took: float


@dataclass(slots=True)
class Crowd:
    """Clients that ask at a fixed rate, however long answers take."""

    port: int
    unclear: int = 0  # refusals that say not when to come again
    connections: int = 0
    most_connections: int = 0
    _idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=deque)

    async def ask(self, rate: float, seconds: float) -> list[Sample]:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        tasks = []
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            tasks.append(asyncio.create_task(self._ask(due)))
        return await asyncio.gather(*tasks)

    async def _ask(self, due: float) -> Sample:
        status = 0
        loop = asyncio.get_running_loop()
        sent = loop.time()
        try:
            async with asyncio.timeout(PATIENCE_S):
                status = await self._status()
        except (OSError, EOFError, TimeoutError):
            pass  # it counts as no answer
        return Sample(status, loop.time() - due, loop.time() - sent)

    async def _status(self) -> int:
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.connections += 1
            self.most_connections = max(self.connections, self.most_connections)
        try:
            writer.write(BODY)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        except BaseException:
            self.connections -= 1
            writer.transport.abort()
            raise
        status = int(head[9:12])
        self.unclear += status in (429, 503) and b"\r\nretry-after: " not in head
        if b"connection: close" in head:
            self.connections -= 1
            writer.close()
        else:
            self._idle.append((reader, writer))
        return status

    def leave(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()


def run(folder: Path, *, seconds: float, loads: Sequence[int]) -> list[Figure]:
    """Ask for `loads` times as much as engines can do, each for so many seconds."""
    return asyncio.run(_measure(folder, seconds, loads))


async def _measure(folder: Path, seconds: float, loads: Sequence[int]) -> list[Figure]:
    limits = {"waiting": WAITING}
    async with SlottedEngine() as one, SlottedEngine() as other:
        services = [slotted("h/0", one.address, SLOTS), slotted("h/1", other.address, SLOTS)]
        with serving(folder, services, limits=limits) as here:
            pid = here.gateway.process.pid
            crowd = Crowd(here.port)
            await crowd.ask(CAPACITY / 2, 1.0)  # connections and memos are made
            usual = await crowd.ask(CAPACITY / 2, seconds)
            memory = usage(family(pid)).rss_bytes
            goodput, shed, most = {}, [], memory
            unanswered = 0
            with pulse(here.port) as health:
                for load in loads:
                    taken = await crowd.ask(load * CAPACITY, seconds)
                    good = sum(ask.status == 200 and ask.seconds <= IN_TIME_S for ask in taken)
                    goodput[load] = good / seconds
                    unanswered += sum(ask.status not in (200, 429, 503) for ask in taken)
                    most = max(most, usage(family(pid)).rss_bytes)
                    if load > 1:
                        shed += [ask.took for ask in taken if ask.status in (429, 503)]
            back_s = await _until_as_before(crowd)
            crowd.leave()
    peak = max(goodput.values())
    return [
        told("requests a second that the engines can do", CAPACITY),
        told("answered within 0.5 s, below that", _share_in_time(usual), "%"),
        *(told(f"answered in time at {load} x", round(goodput[load]), "/s") for load in loads),
        *(
            Figure(
                f"of the peak, at {load} x",
                round(100 * goodput[load] / peak, 1),
                "%",
                at_least=80,
                timed=True,
            )
            for load in loads
            if load >= 3
        ),
        # Else nothing was too much, and nothing of it is shown.
        Figure("refused", len(shed), at_least=1),
        told("connections at most", crowd.most_connections),
        milliseconds("p99 of refusals", quantile(shed, 0.99), at_most=50),
        none("refusals without Retry-After", crowd.unclear),
        none("requests that got no answer, or another error", unanswered),
        milliseconds("p99 of /health meanwhile", quantile([one for _, one in health], 0.99), 50),
        Figure(
            "memory at most, of that before",
            round(most / memory, 2),
            f"x {round(memory / MEBIBYTE)} MiB",
            at_most=1.5,
        ),
        Figure("until all is as before", round(back_s, 2), "s", at_most=AFTER_S, timed=True),
    ]


async def _until_as_before(crowd: Crowd) -> float:
    """Return the seconds until a second passes in which all requests are answered in time."""
    begin = time.monotonic()
    while time.monotonic() < begin + 4 * AFTER_S:
        before = time.monotonic() - begin
        if _share_in_time(await crowd.ask(CAPACITY / 2, 1.0)) == 100:
            return before
    return float("inf")


def _share_in_time(taken: Sequence[Sample]) -> float:
    good = sum(ask.status == 200 and ask.seconds <= IN_TIME_S for ask in taken)
    return 100 * good / len(taken)


PROMISE = Promise(
    run,
    short={"seconds": 0.5, "loads": (1, 3)},
    full={"seconds": 60.0, "loads": (1, 2, 3, 5)},
)
