"""R38: what was served leaves nothing behind in the gateway or in control."""

import asyncio
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import linear_regression, mean

from bench.processes import family, usage
from tests.chaos.promise import Figure, Promise, all_of, told
from tests.chaos.world import served
from tests.integration.gateway.front import request
from tests.integration.gateway.test_disconnect import leave

CLIENTS = 50
SAMPLES = 200
SETTLED = 0.25  # of the requests are not judged: pools and caches fill
MEBIBYTE = 1 << 20
STREAM_SHARE, CANCELLED_SHARE = 0.3, 0.1
PATIENCE_S = 30.0

_LENGTH = re.compile(rb"content-length: (\d+)")


def run(folder: Path, *, requests: int, seed: int = 38) -> list[Figure]:
    """Send requests, some for streams, some cancelled, and watch memory."""
    with engine() as address, served(folder, {"m-json": address}) as here:
        load = _Load(here.port, requests, random.Random(seed))
        watched = {"gateway": here.gateway.process.pid, "control": here.control.process.pid}
        asyncio.run(load.run(watched))
    figures = [
        all_of("requests that were answered or cancelled", load.sent, requests),
        told("of them streams", load.streams),
        told("of them cancelled", load.cancelled),
    ]
    for name, taken in load.memory.items():
        rest = taken[int(SETTLED * len(taken)) :]
        figures.append(told(f"memory of the {name} at the end", round(taken[-1] / MEBIBYTE), "MiB"))
        figures.append(
            Figure(
                f"its rise over the last {1 - SETTLED:.0%} of the requests",
                round(_rise(rest) * 100, 2),
                "%",
                at_most=1.0,
                timed=True,
            )
        )
    return figures


@contextmanager
def engine() -> Iterator[str]:
    """Run the engine of the bench; yields its address."""
    command = [sys.executable, "-P", "-m", "bench", "upstream", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--events", "8", "--gap-ms", "1"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        process.stdout.close()


class _Load:
    """So many requests through one gateway, and the memory that processes had meanwhile."""

    def __init__(self, port: int, requests: int, draw: random.Random) -> None:
        self.sent = self.streams = self.cancelled = 0
        self.memory: dict[str, list[int]] = {}
        self._port = port
        self._left = requests
        self._every = max(1, requests // SAMPLES)
        self._draw = draw

    async def run(self, watched: dict[str, int]) -> None:
        self.memory = {name: [] for name in watched}
        self._watched = watched
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._client())

    async def _client(self) -> None:
        reader, writer = await self._connect()
        while self._left:
            self._left -= 1
            stream = self._draw.random() < STREAM_SHARE
            body = b'{"model":"m-json","stream":%b}' % (b"true" if stream else b"false")
            self.streams += stream
            writer.write(request(body))
            if self._draw.random() < CANCELLED_SHARE:
                await asyncio.sleep(self._draw.random() * 0.01)
                leave(writer, self._draw.choice(["FIN", "RST"]))
                self.cancelled += 1
                reader, writer = await self._connect()
            else:
                async with asyncio.timeout(PATIENCE_S):
                    await _answer(reader)
            self.sent += 1
            if self.sent % self._every == 0:
                self._sample()
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)

    def _sample(self) -> None:
        for name, pid in self._watched.items():
            self.memory[name].append(usage(family(pid)).rss_bytes)


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    if (length := _LENGTH.search(head)) is not None:
        await reader.readexactly(int(length[1]))
    else:
        await reader.readuntil(b"\r\n0\r\n\r\n")


def _rise(taken: Sequence[int]) -> float:
    """Return the rise of a fitted line over all of `taken`, as a share of their mean."""
    return linear_regression(range(len(taken)), taken).slope * len(taken) / mean(taken)


PROMISE = Promise(run, short={"requests": 2_000}, full={"requests": 200_000})
