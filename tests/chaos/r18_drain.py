"""R18: a gateway that is told to stop ends its work well, and another on its port takes over."""

import asyncio
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.chaos.promise import Figure, Promise, all_of, none, seconds, told
from tests.chaos.world import Served, served
from tests.integration.gateway.front import CHAT
from tests.processes import Service

GONE_S = 1.0  # within which no new client comes to a gateway that stops
GAP_S = 0.02  # between two short requests
PATIENCE_S = 60.0
READY = 20  # answers of the other gateway that show that it is there
WORDS = {"short": 15, "long": 3_000}  # of an answer, a tenth of a second apart
NAMED = 20  # characters of a request id that tell the process


@dataclass(slots=True)
class Seen:
    """What clients saw; `gateway` is the beginning of the request ids of the one that stops."""

    gateway: str
    documents: Counter[str] = field(default_factory=Counter)
    streams: Counter[str] = field(default_factory=Counter)  # of the gateway that stops
    last_taken: float = 0.0  # when it answered a new client last, monotonic


def run(folder: Path, *, streams: int, drain: float) -> list[Figure]:
    """Stop one of two gateways on a port, with about `streams` streams of `drain` seconds.

    Half of them are longer than it has time.
    """
    with ExitStack() as stack:
        engines = {}
        for name, words in WORDS.items():
            arguments = ["--model", name, "--words", str(words), "--pace", "0.1"]
            engine = Service(["tests.fakes.engine", *arguments], folder / f"{name}.log")
            stack.callback(engine.stop)
            engines[name] = f"127.0.0.1:{engine.port()}"
        here = stack.enter_context(served(folder, engines, reuse_port=True, drain=drain))
        return asyncio.run(_measure(here, streams, drain))


async def _measure(here: Served, streams: int, drain: float) -> list[Figure]:
    url = f"http://127.0.0.1:{here.port}"
    fresh = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=url, trust_env=False, timeout=PATIENCE_S, limits=fresh
    ) as client:
        seen = Seen(_process(await client.get("/health")))
        await asyncio.to_thread(here.another(listen=f"127.0.0.1:{here.port}", reuse_port=True).port)
        await _until_both_are_ready(client, seen.gateway)
        documents = asyncio.create_task(_documents(client, seen))
        # The kernel spreads connections over both.
        models = list(WORDS) * streams
        opened = [asyncio.create_task(_stream(client, seen, model)) for model in models]
        await asyncio.sleep(WORDS["short"] * 0.1 / 2)
        here.gateway.process.terminate()
        told_at = time.monotonic()
        code = await asyncio.to_thread(here.gateway.process.wait, PATIENCE_S)
        took = time.monotonic() - told_at
        documents.cancel()
        for one in opened:
            if not one.done():
                one.cancel()  # those of the other gateway go on for minutes
        await asyncio.gather(documents, *opened, return_exceptions=True)
    ended = seen.streams["finished"] + seen.streams["ended with an error"]
    return [
        all_of("streams that finished or ended with an error event", ended, seen.streams.total()),
        told("of them finished", seen.streams["finished"]),
        told("requests for documents beside them", seen.documents.total()),
        none("of them failed", seen.documents.total() - seen.documents["ok"]),
        seconds("until no new client came", max(0.0, seen.last_taken - told_at), at_most=GONE_S),
        seconds(f"until it ended, of {drain:g} s to drain", took, at_most=drain + 1),
        Figure("exit code", code, at_most=0, at_least=0),
    ]


async def _until_both_are_ready(client: httpx.AsyncClient, first: str) -> None:
    answers = 0
    async with asyncio.timeout(PATIENCE_S):
        while answers < READY:
            answer = await client.get("/ready")
            answers += answer.is_success and _process(answer) != first


async def _documents(client: httpx.AsyncClient, seen: Seen) -> None:
    """Ask for documents on connections of their own, until cancelled."""
    while True:
        sent = time.monotonic()
        try:
            answer = await client.post(CHAT, json={"model": "short", "messages": []})
        except httpx.HTTPError as error:
            seen.documents[type(error).__name__] += 1
            continue
        seen.documents["ok" if answer.is_success else str(answer.status_code)] += 1
        if _process(answer) == seen.gateway:
            seen.last_taken = sent
        await asyncio.sleep(GAP_S)


async def _stream(client: httpx.AsyncClient, seen: Seen, model: str) -> None:
    """Follow a stream to its end, and note how it ended if it was one of the first gateway."""
    body = {"model": model, "messages": [], "stream": True}
    mine, text = False, b""
    try:
        async with client.stream("POST", CHAT, json=body) as answer:
            mine = _process(answer) == seen.gateway
            async for part in answer.aiter_raw():
                text = text[-1_000:] + part
    except httpx.HTTPError as error:
        seen.streams[type(error).__name__] += mine
        return
    last = text.rstrip().rpartition(b"\n\n")[2]
    if mine and last == b"data: [DONE]":
        seen.streams["finished"] += 1
    elif mine:
        seen.streams["ended with an error" if b'"error"' in last else "cut"] += 1


def _process(answer: httpx.Response) -> str:
    """Return what the request ids of one gateway have in common."""
    return answer.headers["x-request-id"][:NAMED]


PROMISE = Promise(run, short={"streams": 10, "drain": 1.5}, full={"streams": 100, "drain": 10.0})
