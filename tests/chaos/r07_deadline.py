"""R7: a request ends by its deadline, however many engines were asked and however they hang."""

import asyncio
import random
import re
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.promise import Figure, Promise, all_of, milliseconds, none, quantile, told
from tests.fakes import answers
from tests.fakes.answers import Answer, Hang, Pause, Send
from tests.fakes.engine import Engine, Script
from tests.integration.gateway.front import Front, front, request

AT_ONCE = 50  # clients and engines share a core with the gateway
PATIENCE_S = 10.0
LATE_MS = 250.0
SHORTEST_S, CONFIGURED_S = 0.05, 1.0
CONNECT_S, SILENT_S = 0.3, 0.4
# So many engines that nobody runs out of them, and nothing that stops asking: what is left
# to end a request is its deadline.
SETTINGS = {
    "timeouts": {
        "connect": CONNECT_S,
        "first_byte": SILENT_S,
        "first_event": SILENT_S,
        "idle": SILENT_S,
        "total": CONFIGURED_S,
    },
    "failover": {"attempts": 32, "share": 1.0, "minimum": 1_000},
    "ejection": {"failures": 1_000, "share": 1.0, "requests": 100_000},
}
FULL = 16  # connections that no queue of a listener without a backlog holds
ROUND = 1_500  # requests of one gateway: fewer than take an engine out

_JSON = [("Content-Type", "application/json"), ("Content-Length", "100000")]
HANGING: tuple[Answer, ...] = (
    [Hang()],
    [Send(answers.head(200, _JSON)), Hang()],
    [Send(answers.head(200, _JSON)), *[Pause(0.05), Send(b" ")] * 200],
    [Send(answers.head(200, [("Content-Type", "text/event-stream")])), Hang()],
)
# What is no time to wait.
ABSURD = (
    "-1",
    "0",
    "nan",
    "inf",
    "-inf",
    "soon",
    "",
    " ",
    "1s",
    "1,5",
    "0x10",
    "\u0661",
    "9" * 400,
)

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_ID = re.compile(rb"\r\nx-request-id: (\w+)\r\n")
_CODE = re.compile(rb'"code":\s*"(\w+)"')


@dataclass(slots=True)
class Seen:
    """How requests ended."""

    ends: Counter[str] = field(default_factory=Counter)  # status and code
    late: list[float] = field(default_factory=list)  # seconds after the deadline
    deadlines: dict[str, float] = field(default_factory=dict)  # seconds, by id of the request


def run(folder: Path, *, requests: int, seed: int = 7) -> list[Figure]:
    """Send requests with random deadlines to engines that hang in every way."""
    return asyncio.run(_measure(requests, random.Random(seed)))


async def _measure(requests: int, draw: random.Random) -> list[Figure]:
    seen = Seen()
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(Engine(one)) for one in map(_always, HANGING)]
        full = [stack.enter_context(nobody_accepts()) for _ in range(2)]
        addresses = [*full, *(engine.address for engine in engines)]
        for start in range(0, requests, ROUND):
            async with front("protocol", **SETTINGS) as gateway:
                gateway.offer(*addresses)
                await _round(gateway, min(ROUND, requests - start), draw, seen)
        async with front("protocol", **SETTINGS) as gateway:
            gateway.offer(engines[0].address)
            refused = await _absurd(gateway)
    return [
        told("requests, half of them with X-Request-Timeout", requests),
        all_of("ended with 504 and its code", seen.ends["504 upstream_timeout"], requests),
        milliseconds("after the deadline: median", quantile(seen.late, 0.5)),
        milliseconds("after the deadline: slowest", max(seen.late), at_most=LATE_MS),
        none("asked of more engines than there was time for", _too_often(engines, seen.deadlines)),
        all_of("deadlines that are none, refused with 400", refused, len(ABSURD) + 1),
    ]


def _too_often(engines: Sequence[Engine], deadlines: Mapping[str, float]) -> int:
    """Return how many requests came to another engine when their deadline was over."""
    asked = Counter(one.header("x-request-id") for engine in engines for one in engine.requests)
    # No engine is given up sooner than `CONNECT_S`, however slow or quick the machine is.
    return sum(asked[name] > 1 + limit // CONNECT_S for name, limit in deadlines.items())


def _always(answer: Answer) -> Script:
    return lambda _: answer


async def _round(gateway: Front, requests: int, draw: random.Random, seen: Seen) -> None:
    slots = asyncio.Semaphore(AT_ONCE)
    loop = asyncio.get_running_loop()

    async def one(number: int, seconds: float) -> None:
        told = number % 2 == 1
        body = b'{"model":"small","stream":%b}' % (b"true" if number % 4 < 2 else b"false")
        headers = [f"X-Request-Timeout: {seconds:.3f}"] if told else []
        async with slots:
            begin, name, end = await _ask(gateway, body, headers)
            took = loop.time() - begin
        limit = round(seconds, 3) if told else CONFIGURED_S
        seen.ends[end] += 1
        seen.late.append(took - limit)
        seen.deadlines[name] = limit

    waits = [draw.uniform(SHORTEST_S, CONFIGURED_S) for _ in range(requests)]
    await asyncio.gather(*(one(number, wait) for number, wait in enumerate(waits)))


async def _absurd(gateway: Front) -> int:
    """Return how many deadlines that are none are told to be none."""
    cases = [[f"X-Request-Timeout: {value}"] for value in ABSURD]
    cases.append(["X-Request-Timeout: 1", "X-Request-Timeout: 2"])
    ends = [await _ask(gateway, b'{"model":"small"}', headers) for headers in cases]
    return sum(end == "400 invalid_value" for *_, end in ends)


async def _ask(gateway: Front, body: bytes, headers: Sequence[str]) -> tuple[float, str, str]:
    """Return when the request was sent, and what the answer tells: id, and status and code."""
    reader, writer = await gateway.connect()
    begin = asyncio.get_running_loop().time()
    try:
        writer.write(request(body, "Connection: close", *headers))
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.read()
    except TimeoutError:
        return begin, "none", "none"
    finally:
        writer.close()
    name, status, code = _ID.search(answer), _STATUS.match(answer), _CODE.search(answer)
    end = b" ".join(found[1] for found in (status, code) if found)
    return begin, name[1].decode() if name else "none", end.decode()


@contextmanager
def nobody_accepts() -> Iterator[str]:
    """Listen where nobody takes connections and the queue is full; yields host:port."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = []
        with suppress(TimeoutError):
            for _ in range(FULL):
                waiting.append(socket.create_connection(address, timeout=0.1))
        yield f"{address[0]}:{address[1]}"
        for one in waiting:
            one.close()


PROMISE = Promise(run, short={"requests": 300}, full={"requests": 10_000})
