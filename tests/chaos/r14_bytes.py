"""R14: the events of an engine reach the client as they are, wherever their bytes were cut."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.promise import Figure, Promise, all_of, told
from tests.fakes import answers
from tests.fakes.engine import Engine
from tests.integration.gateway.front import CHAT, front

DONE = b"data: [DONE]\n\n"
ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r", b"\r\n\n", b"\n\r\n")
# What naive splitters take for the end of a line, and what is cut within a character.
TEXTS = (
    "plain",
    "a\u2028b\u2029c\x85d",
    "\N{GRINNING FACE}" * 9,
    "e\u0301",
    "\x0b\x0c\x1c",
    '{"a":',
)
SIZES = (1, 2, 3, 7, 64, 1_500, 65_536)
NEEDLES = (b"reasoning", b"usage", b"\\u00")  # what makes an event one that may be rewritten
LARGE = (1 << 20) - 64  # an event of the largest size that is taken
LARGE_EVERY = 50


def run(folder: Path, *, streams: int, seed: int = 14) -> list[Figure]:
    """Relay `streams` streams of any bytes, and as many with something to hide in them."""
    return asyncio.run(_measure(streams, random.Random(seed)))


async def _measure(streams: int, draw: random.Random) -> list[Figure]:
    async with (
        Engine(lambda _: ()) as engine,
        front("protocol") as gateway,
        httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=60) as client,
    ):
        gateway.offer(engine.address)
        identical = alike = events = 0
        for number in range(streams):
            parts = [any_event(draw) for _ in range(draw.randrange(1, 12))]
            if number % LARGE_EVERY == 0:
                parts.append(b"data: " + draw.randbytes(1).hex().encode() * (LARGE // 2) + b"\n\n")
            body = b"".join(parts) + DONE
            identical += await _relayed(engine, client, body, draw) == body
            events += len(parts)

            documents = [document(draw) for _ in range(draw.randrange(1, 12))]
            events += len(documents)
            body = b"".join(map(event_of, documents)) + DONE
            alike += seen(await _relayed(engine, client, body, draw)) == [
                without_reasoning(one) for one in documents
            ]
    return [
        told("events, in chunks of 1 byte to 64 KiB", events),
        all_of("streams with nothing to hide that came byte for byte", identical, streams),
        all_of("streams with reasoning that came alike but for it", alike, streams),
    ]


async def _relayed(
    engine: Engine, client: httpx.AsyncClient, body: bytes, draw: random.Random
) -> bytes:
    """Return what a client gets of `body`."""
    # Large bodies in single bytes would only measure the machine.
    size = draw.choice(SIZES if len(body) < 10_000 else SIZES[-2:])
    engine.script = lambda _: answers.sliced(answers.events([body]), size)
    return (await client.post(CHAT, json={"model": "small", "stream": True})).content


def any_event(draw: random.Random) -> bytes:
    """Return one event of any bytes that holds no needle."""
    kind = draw.randrange(4)
    if kind == 0:
        line = b": " + draw.randbytes(draw.randrange(60))
    elif kind == 1:
        line = b"data:" + draw.randbytes(draw.randrange(200))
    elif kind == 2:
        line = b"event: x\nid: 7\ndata: " + draw.choice(TEXTS).encode()
    else:
        line = b"data: " + json.dumps({"t": draw.choice(TEXTS)}, ensure_ascii=False).encode()
    if any(needle in line for needle in NEEDLES):
        line = b"data: x"
    return line + draw.choice(ENDS)


def document(draw: random.Random) -> dict[str, Any]:
    """Return one chunk of a completion, sometimes with reasoning in it."""
    delta: dict[str, Any] = {"content": draw.choice(TEXTS)}
    if draw.random() < 0.5:
        delta[draw.choice(["reasoning", "reasoning_content"])] = draw.choice(TEXTS)
    return {"id": "c", "choices": [{"index": 0, "delta": delta}], "n": draw.randrange(1000)}


def event_of(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"


def without_reasoning(content: dict[str, Any]) -> dict[str, Any]:
    (choice,) = content["choices"]
    delta = {key: value for key, value in choice["delta"].items() if key == "content"}
    return {**content, "choices": [{**choice, "delta": delta}]}


def seen(body: bytes) -> list[Any]:
    """Return the documents of a stream that `event_of` framed; nothing when it is damaged."""
    *events, last = body.removesuffix(DONE).split(b"\n\n")
    try:
        found = [json.loads(one.removeprefix(b"data: ")) for one in events]
    except ValueError:
        return []
    return found if body.endswith(DONE) and not last else []


PROMISE = Promise(run, short={"streams": 40}, full={"streams": 5_000})
