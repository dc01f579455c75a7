"""R16: clients that hardly read hold little in the gateway, and hurt nobody else."""

import asyncio
import contextlib
import socket
from pathlib import Path

from bench.processes import family, usage
from tests.chaos.load import OpenLoad
from tests.chaos.promise import Figure, Promise, all_of, milliseconds, none, told
from tests.chaos.r38_no_leaks import engine
from tests.chaos.world import served
from tests.fakes import answers
from tests.fakes.answers import Answer
from tests.fakes.engine import Engine, Request
from tests.integration.gateway.front import request

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20
BYTES_EACH = 128 * KIBIBYTE
BYTES_OF_ALL = 20 * MEBIBYTE
SLOWLY = 1_000  # bytes a second
RATE = 50  # requests of others a second
SETTLE_S = 1.0
LOOK_S = 0.1
PATIENCE_S = 20.0
RECEIVED_BY_KERNEL = 4 * KIBIBYTE  # of a slow reader, at most; it may double that


def run(folder: Path, *, readers: int, stream: int, seconds: float) -> list[Figure]:
    """Let `readers` read streams of so many megabytes slowly, while others are served."""
    return asyncio.run(_measure(folder, readers, stream, seconds))


async def _measure(folder: Path, readers: int, stream: int, seconds: float) -> list[Figure]:
    answer = _stream(stream * MEBIBYTE)
    loop = asyncio.get_running_loop()
    async with Engine(lambda _: answer) as slow:
        with engine() as fast, served(folder, {"slow": slow.address, "m-json": fast}) as here:
            pid = here.gateway.process.pid
            url = f"http://127.0.0.1:{here.port}"
            load = OpenLoad(url, ["m-json"], RATE)
            others = asyncio.create_task(load.run())
            await asyncio.sleep(seconds / 2)
            before, most = (usage(family(pid)).rss_bytes,) * 2
            without = loop.time()
            clients = [asyncio.create_task(_read_slowly(here.port)) for _ in range(readers)]
            await slow.request(readers, PATIENCE_S)
            await _all_held(slow)
            slowly = loop.time()
            while loop.time() < slowly + seconds:
                await asyncio.sleep(LOOK_S)
                most = max(most, usage(family(pid)).rss_bytes)
            over = loop.time()
            held_back = sum(not asked.answered.is_set() for asked in slow.requests)
            sent = max(asked.sent for asked in slow.requests)
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
            freed = await _freed(slow)
            after = loop.time()
            await asyncio.sleep(seconds / 2)
            others.cancel()
            await others
    grown = most - before
    # The machine may have changed its pace meanwhile: both times without them count.
    usual = max(load.p99(without - seconds / 2, without), load.p99(after, after + seconds / 2))
    meanwhile = load.p99(slowly, over)
    return [
        told("clients that read 1 kB a second", readers),
        told(f"of streams of {stream} MB the engine could send at most", sent >> 10, "KiB"),
        all_of("engines held back", held_back, readers),
        Figure(
            "memory that the gateway took for them",
            round(grown / MEBIBYTE, 1),
            "MiB",
            at_most=(readers * BYTES_EACH + BYTES_OF_ALL) / MEBIBYTE,
        ),
        told("that is, for each", round(grown / readers / KIBIBYTE), "KiB"),
        none("requests of others that failed", load.failed),
        milliseconds("p99 of others without them", usual),
        milliseconds("p99 of others meanwhile", meanwhile, at_most=1_000 * max(usual * 1.1, 0.005)),
        all_of("engines free when the readers left", freed, readers),
    ]


def _stream(size: int) -> Answer:
    """Return a stream of about `size` bytes, in writes of many events."""
    event = answers.data({"choices": [{"delta": {"content": "x" * 200}}]})
    parts = [event * 200] * (size // (200 * len(event)))
    return answers.events([*parts, answers.data("[DONE]")])


async def _read_slowly(port: int) -> None:
    """Ask for a stream, and read it slowly until cancelled."""
    loop = asyncio.get_running_loop()
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BY_KERNEL)
    peer.setblocking(False)
    with contextlib.closing(peer):
        await loop.sock_connect(peer, ("127.0.0.1", port))
        await loop.sock_sendall(peer, request(b'{"model":"slow","stream":true}'))
        while await loop.sock_recv(peer, SLOWLY):  # noqa: ASYNC110  # as a slow reader does
            await asyncio.sleep(1.0)


async def _all_held(slow: Engine) -> None:
    """Wait until the engine can send hardly more: all on the way to the readers is full."""
    loop = asyncio.get_running_loop()
    begin, before = loop.time(), -MEBIBYTE
    while (now := sum(asked.sent for asked in slow.requests)) >= before + MEBIBYTE:
        assert loop.time() < begin + PATIENCE_S, "nothing holds the engine back"
        before = now
        await asyncio.sleep(SETTLE_S)


async def _freed(slow: Engine) -> int:
    """Return how many requests the engine works for no more, once they are all or time is over."""

    def free() -> list[Request]:
        return [asked for asked in slow.requests if asked.connection.closed.is_set()]

    with contextlib.suppress(TimeoutError):
        await slow.until(lambda: len(free()) == len(slow.requests), PATIENCE_S)
    return len(free())


PROMISE = Promise(
    run,
    short={"readers": 40, "stream": 10, "seconds": 1.0},
    full={"readers": 200, "stream": 10, "seconds": 60.0},
)
