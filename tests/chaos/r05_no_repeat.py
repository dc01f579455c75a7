"""R5: what a client reads is of one engine: nothing is asked again after its first byte."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.promise import Figure, Promise, all_of, none, told
from tests.fakes import answers
from tests.fakes.answers import Answer, Close, Reset
from tests.fakes.engine import Engine, Request
from tests.integration.gateway.front import Front, front, request

AT_ONCE = 16
PATIENCE_S = 10.0
WORDS = 24
# Nothing but the first byte keeps a request from being tried again.
SETTINGS = {
    "failover": {"share": 1.0, "minimum": 1_000},
    "ejection": {"failures": 1_000, "share": 1.0, "requests": 100_000},
}
MODEL = "small"
TEXTS = tuple([f"{engine}{n} " for n in range(WORDS)] for engine in ("one", "other"))
ERROR, DONE = "[error]", "[DONE]"


def run(folder: Path, *, cuts: int, seed: int = 5) -> list[Figure]:
    """Let engines cut `cuts` documents and as many streams, each at a byte of its own."""
    return asyncio.run(_measure(cuts, random.Random(seed)))


class Cutter:
    """Answers for two engines; who is asked first is cut, who is asked next answers wholly."""

    def __init__(self, draw: random.Random) -> None:
        self.asked: Counter[int] = Counter()  # by number of the request
        self._draw = draw

    def answer(self, engine: int, arrived: Request) -> Answer:
        asked = arrived.json()
        self.asked[asked["number"]] += 1
        whole = _whole(TEXTS[engine], stream=asked["stream"])
        if self.asked[asked["number"]] > 1:
            return whole
        at = self._draw.randrange(len(answers.sent(whole)))
        return answers.cut(whole, at, self._draw.choice((Close(), Reset())))


def _whole(words: Sequence[str], *, stream: bool) -> Answer:
    if not stream:
        return answers.document(answers.completion("".join(words), MODEL))
    return answers.events(answers.completion_events(words, MODEL, with_usage=True))


async def _measure(cuts: int, draw: random.Random) -> list[Figure]:
    cutter = Cutter(draw)
    outcomes: Counter[str] = Counter()
    async with (
        Engine(lambda arrived: cutter.answer(0, arrived)) as one,
        Engine(lambda arrived: cutter.answer(1, arrived)) as other,
        front("protocol", **SETTINGS) as gateway,
    ):
        gateway.offer(one.address, other.address)
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask(number: int) -> None:
            async with slots:
                outcomes[await _outcome(gateway, number, stream=number % 2 == 1)] += 1

        await asyncio.gather(*map(ask, range(2 * cuts)))
        counted = gateway.gateway.meter.take(10)
    whole = outcomes["whole"]
    usage = answers.usage("".join(TEXTS[0]))
    return [
        told("answers that were cut, documents and streams", sum(outcomes.values())),
        told("answered wholly, by the other engine", whole),
        told("streams that ended within, with one error and their connection", outcomes["part"]),
        none("answers that are not of one engine, or end in another way", outcomes["bad"]),
        none("requests asked more than twice", sum(n > 2 for n in cutter.asked.values())),
        all_of("answers that are counted", sum(one.answered for one in counted), whole),
        all_of(
            "tokens that are counted",
            sum(one.prompt_tokens + one.completion_tokens for one in counted),
            whole * usage["total_tokens"],
        ),
    ]


async def _outcome(gateway: Front, number: int, *, stream: bool) -> str:
    """Return `whole`, `part` of an answer with its error, or `bad`."""
    body = {"model": MODEL, "messages": [], "stream": stream, "number": number}
    reader, writer = await gateway.connect()
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer.write(request(json.dumps(body).encode()))
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            content = await _body(reader, head)
            texts = _texts(content) if stream else _text_of(content)
            said = "".join(texts)
            if not stream or (status == 200 and texts[-1:] == [DONE]):
                return "whole" if said.removesuffix(DONE) in map("".join, TEXTS) else "bad"
            # Somebody was asked after the last byte, or the connection goes on: both are wrong.
            prefix = any("".join(text).startswith(said.removesuffix(ERROR)) for text in TEXTS)
            one_error = texts.count(ERROR) == 1 and texts[-1] == ERROR
            closed = not await reader.read()
    except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError):
        return "bad"
    finally:
        writer.close()
    return "part" if prefix and one_error and closed and DONE not in texts else "bad"


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b": ")
        if name == b"content-length":
            return await reader.readexactly(int(value))
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


def _text_of(document: bytes) -> list[str]:
    return [json.loads(document)["choices"][0]["message"]["content"]]


def _texts(stream: bytes) -> list[str]:
    """Return what each event of a stream says, `ERROR` and `DONE` for what ends it."""
    *events, last = stream.decode().split("\n\n")
    if last:
        raise ValueError("the last event has no end")
    return [_said(event.removeprefix("data: ")) for event in events]


def _said(data: str) -> str:
    if data == DONE:
        return DONE
    told: dict[str, Any] = json.loads(data)
    if "error" in told:
        return ERROR
    return "".join(choice["delta"].get("content", "") for choice in told["choices"])


PROMISE = Promise(run, short={"cuts": 60}, full={"cuts": 1_000})
