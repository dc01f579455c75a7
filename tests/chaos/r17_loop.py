"""R17: nothing that clients send or engines answer holds up the gateway's event loop."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.chaos.promise import Figure, Promise, milliseconds, none, quantile, told
from tests.chaos.pulse import PERIOD_S, pulse
from tests.chaos.world import served
from tests.fakes import answers
from tests.fakes.answers import Answer, Pause, Send
from tests.fakes.engine import Engine, Request
from tests.integration.gateway.front import request

MB = 1 << 20
SAMPLES = 1_000  # of fewer, the p99 is the slowest or so
SETTLE_S = 0.2
PATIENCE_S = 60.0


def hostile_requests() -> Mapping[str, bytes]:
    """Return what a client can send to keep a gateway busy."""
    ten = 10 * MB - 100
    small = b'{"model":"small","x":'
    return {
        "a million brackets": _only(b"[" * 1_000_000),
        "ten megabytes of brackets": _only(small + b"[" * ten),
        "one long string": _only(small + b'"' + b"x" * (ten - 50) + b'"}'),
        "a string of escapes": _only(small + b'"' + rb"\u0041" * 1_700_000 + b'"}'),
        "a million keys": _only(
            b'{"model":"small",' + b",".join(b'"k%d":0' % n for n in range(700_000)) + b"}"
        ),
        "a million messages": _only(
            b'{"model":"small","messages":[' + b",".join([b"{}"] * 1_000_000) + b"]}"
        ),
        "a long number": _only(small + b"9" * 5_000 + b"}"),
        "ten megabytes of spaces": _only(b" " * ten + b"{}"),
        "eleven megabytes": _only(b"x" * 11 * MB),
        "two thousand headers": _only(b"{}", *(f"X-{n}: {n}" for n in range(2_000))),
        "one header of a megabyte": _only(b"{}", "X: " + "x" * MB),
        "ten thousand chunks": (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            + b"1\r\n \r\n" * 10_000
            + b"0\r\n\r\n"
        ),
        "fifty at once": request(b'{"model":"nobody"}') * 49 + _only(b'{"model":"nobody"}'),
    }


def hostile_answers(large: int) -> Mapping[str, Answer]:
    """Return what an engine can answer to keep a gateway busy; `large` in megabytes."""
    hidden = {"choices": [{"message": {"content": "x", "reasoning": "y" * 1000}}] * (8 * 1024)}
    event = answers.data({"choices": [{"delta": {"reasoning": "z" * (MB - 200)}}]})
    many = [("X-%d" % n, "x") for n in range(10_000)]  # noqa: UP031
    return {
        "a large error": endless(500, "text/plain", b"e" * MB, large),
        "a large document": endless(200, "application/json", b" " * MB, large),
        "a line that never ends": endless(200, "text/event-stream", b"x" * MB, large),
        "eight megabytes with something to hide": answers.document(hidden),
        "events of a megabyte": answers.events([event] * 5 + [answers.data("[DONE]")]),
        "a stream in single bytes": answers.sliced(answers.events([b": x\n\n"] * 500), 1),
        "a header of a megabyte": answers.whole(b"", headers=[("X", "x" * MB)]),
        "ten thousand headers": answers.whole(b"", headers=many),
        "ten thousand interim answers": [Send(b"HTTP/1.1 102 Processing\r\n\r\n" * 10_000)],
    }


def endless(status: int, kind: str, part: bytes, parts: int) -> Answer:
    headers = [("Content-Type", kind), ("Content-Length", str(len(part) * parts))]
    return [Send(answers.head(status, headers)), *([Send(part), Pause(0)] * parts)]


def run(folder: Path, *, large: int, rounds: int) -> list[Figure]:
    """Send the whole corpus `rounds` times while a process asks for the gateway's health."""
    return asyncio.run(_measure(folder, large, rounds))


async def _measure(folder: Path, large: int, rounds: int) -> list[Figure]:
    answered = hostile_answers(large)
    asked = {**hostile_requests(), **{f"engine: {kind}": _for(kind) for kind in answered}}

    def script(arrived: Request) -> Answer:
        return answered[json.loads(arrived.body)["kind"]]

    spans: list[tuple[str, float, float]] = []
    endless_ones = 0
    loop = asyncio.get_running_loop()
    async with Engine(script) as engine:
        with (
            served(folder, {"small": engine.address}) as here,
            pulse(here.port) as samples,
        ):
            await asyncio.sleep(SETTLE_S)
            for name, data in [*asked.items()] * rounds:
                begin = loop.time()
                endless_ones += not await _ends(here.port, data)
                spans.append((name, begin, loop.time()))
            await asyncio.sleep(SETTLE_S)
    slowest = dict.fromkeys(asked, 0.0)
    for name, begin, end in spans:
        late = (took for at, took in samples if begin - PERIOD_S <= at <= end)
        slowest[name] = max(slowest[name], *late, 0.0)
    judged = len(samples) >= SAMPLES
    worst = max(slowest, key=lambda name: slowest[name])
    return [
        told("things that clients send and engines answer", len(asked)),
        told("samples of the loop", len(samples)),
        none("of those things without an end", endless_ones),
        milliseconds(f"longest hold-up ({worst})", slowest[worst], at_most=100.0),
        milliseconds(
            "health p99",
            quantile([took for _, took in samples], 0.99),
            at_most=50.0 if judged else None,
        ),
    ]


def _for(kind: str) -> bytes:
    """Return a request that gets this answer of the engine."""
    return _only(b'{"model":"small","kind":%s}' % json.dumps(kind).encode())


def _only(body: bytes, *headers: str) -> bytes:
    """Return a request after which the gateway closes the connection."""
    return request(body, "Connection: close", *headers)


async def _ends(port: int, data: bytes) -> bool:
    """Return whether the gateway answers and closes, or just closes, in time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            # A gateway that has seen enough resets what it did not read.
            with suppress(ConnectionError):
                writer.write(data)
                while await reader.read(MB):
                    pass
        return True
    except TimeoutError:
        return False
    finally:
        writer.transport.abort()


PROMISE = Promise(run, short={"large": 8, "rounds": 1}, full={"large": 100, "rounds": 40})
