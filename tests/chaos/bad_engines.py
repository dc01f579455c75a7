"""Engines that hang, die, lie and babble, in a process of their own.

`python -m tests.chaos.bad_engines` serves one of each kind of `KINDS`, in that order, and
logs where each one listens.
"""

import asyncio
import json
import random
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from functools import partial

from tests.fakes import answers
from tests.fakes.answers import Close, Hang, Pause, Reset, Send, Step
from tests.fakes.engine import Engine, Request

MEGABYTE = 1 << 20
HUGE_MB = 100
JSON = (("Content-Type", "application/json"),)


def silent(_: Request) -> Iterable[Step]:
    return [Hang()]


def reset(_: Request) -> Iterable[Step]:
    return [Reset()]


def half(_: Request) -> Iterable[Step]:
    """Promise more than comes."""
    return [Send(answers.head(headers=[*JSON, ("Content-Length", "500")]) + b'{"data":['), Close()]


def stalled(_: Request) -> Iterable[Step]:
    return [Send(answers.head(headers=[*JSON, ("Content-Length", "500")]) + b'{"data":['), Hang()]


def huge(_: Request) -> Iterator[Step]:
    """Send 100 MB that may become JSON."""
    size = str(HUGE_MB * MEGABYTE)
    yield Send(answers.head(headers=[*JSON, ("Content-Length", size)]))
    for _ in range(HUGE_MB):
        yield Send(b" " * MEGABYTE)


def endless(_: Request) -> Iterator[Step]:
    """Send chunks for ever."""
    yield Send(answers.head(headers=[*JSON, ("Transfer-Encoding", "chunked")]))
    while True:
        yield Send(answers.chunk(b" " * 65_536))
        yield Pause(0)


def dripping(_: Request) -> Iterator[Step]:
    """Send a byte now and then: each comes in time, the whole never."""
    yield Send(answers.head(headers=[*JSON, ("Content-Length", "100000")]))
    while True:
        yield Pause(0.05)
        yield Send(b" ")


def headers(_: Request) -> Iterator[Step]:
    """Send a head without an end."""
    yield Send(b"HTTP/1.1 200 OK\r\n")
    while True:
        yield Send(b"X-A: " + b"a" * 1_000 + b"\r\n")
        yield Pause(0.001)


def garbage(_: Request) -> Iterable[Step]:
    return [Send(random.Random(7).randbytes(100_000)), Close()]


def html(_: Request) -> Iterable[Step]:
    page = b"<!doctype html><title>Welcome to nginx</title>" * 100
    return answers.whole(page, headers=[("Content-Type", "text/html")])


def deep(_: Request) -> Iterable[Step]:
    return answers.whole(b'{"data":' + b"[" * 1_000_000, headers=JSON)


def odd(_: Request) -> Iterable[Step]:
    """Answer JSON in which nothing is what it should be."""
    names = [
        "",
        " a",
        "a\nb",
        "a\x00b",
        "\U0001f40d",
        "x" * 10_240,
        7,
        None,
        [],
        {},
        "twice",
        "twice",
    ]
    models = [{"id": name, "name": name, "meta": {"n_ctx": -1}, "size": 1e308} for name in names]
    numbers = {"total_slots": float("nan"), "version": 1e999, "is_sleeping": "no", "role": []}
    content = {"object": "list", "data": models, "models": models, "running": models, **numbers}
    return answers.whole(json.dumps(content).encode(), headers=JSON)


def many(_: Request) -> Iterable[Step]:
    """List more models than anybody has, just within what is read of an answer."""
    models = [{"id": f"model-{number}"} for number in range(80_000)]
    return answers.whole(json.dumps({"data": models}).encode(), headers=JSON)


def around(_: Request) -> Iterable[Step]:
    return answers.whole(b"", 302, [("Location", "/v1/models")])


KINDS: tuple[Callable[[Request], Iterable[Step]], ...] = (
    silent,
    reset,
    half,
    stalled,
    huge,
    endless,
    dripping,
    headers,
    garbage,
    html,
    deep,
    odd,
    many,
    around,
)


async def serve() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        for kind in KINDS:
            engine = await stack.enter_async_context(Engine(partial(kind)))
            print(f"{kind.__name__} at {engine.port}", file=sys.stderr, flush=True)
        print("all listen", file=sys.stderr, flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve())
