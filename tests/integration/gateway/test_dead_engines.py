"""Three engines serve a name and some of them are dead: clients are answered by the others."""

import asyncio
import json
import socket
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.fakes import answers
from tests.fakes.answers import Answer, Close, Hang, Reset
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import CHAT, front

pytestmark = pytest.mark.anyio

REQUESTS = 100
AT_ONCE = 3  # so many may always be tried again at the same time, as `failover.minimum` says
WORDS = "word " * 8

# Ways to be dead; `None` is an address where nobody listens.
DEATHS = {
    "gone": None,
    "fails": answers.failure(500, "it broke"),
    "cannot": answers.failure(503, "loading"),
    "is no engine": answers.whole(b"<html>hello", headers=[("Content-Type", "text/html")]),
    "is silent": [Hang()],
    "says its head only": [*answers.events([])[:1], Hang()],
}
# What may be the doing of the request itself, which is then sent to one other service only.
LOSSES = {"closes": [Close()], "resets": [Reset()]}


@pytest.mark.parametrize("death", DEATHS)
async def test_with_two_of_three_dead_all_requests_are_answered(door: str, death: str):
    """The original answered 2 of 6."""
    assert await _answers(door, DEATHS[death], dead=2) == [WORDS] * REQUESTS


@pytest.mark.parametrize("loss", LOSSES)
async def test_with_one_of_three_losing_connections_all_requests_are_answered(door: str, loss: str):
    assert await _answers(door, LOSSES[loss], dead=1) == [WORDS] * REQUESTS


async def _answers(door: str, death: Answer | None, dead: int) -> list[str]:
    """Return what clients are told, with so many dead services before one or two good ones."""
    timeouts = {"connect": 1.0, "first_byte": 0.2, "first_event": 0.2, "idle": 0.2}
    async with AsyncExitStack() as stack:
        addresses = [await _address(stack, death) for _ in range(dead)]
        for _ in range(3 - dead):
            alive = await stack.enter_async_context(Engine(openai(["small"])))
            addresses.append(alive.address)
        gateway = await stack.enter_async_context(front(door, timeouts=timeouts))
        gateway.offer(*addresses)
        client = httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=30)
        await stack.enter_async_context(client)
        slots = asyncio.Semaphore(AT_ONCE)

        async def ask(number: int) -> str:
            body = {"model": "small", "messages": [], "stream": number % 2 == 1}
            async with slots:
                answer = await client.post(CHAT, json=body)
            return _text(answer) if answer.is_success else answer.text

        return await asyncio.gather(*map(ask, range(REQUESTS)))


async def _address(stack: AsyncExitStack, death: Answer | None) -> str:
    if death is not None:
        return (await stack.enter_async_context(Engine(lambda _: death))).address
    taken = stack.enter_context(socket.socket())  # bound, so that nobody else comes to listen
    taken.bind(("127.0.0.1", 0))
    return f"127.0.0.1:{taken.getsockname()[1]}"


def _text(answer: httpx.Response) -> str:
    """Return the words of an answer, streamed or not."""
    if "event-stream" not in answer.headers["content-type"]:
        return str(answer.json()["choices"][0]["message"]["content"])
    *events, done = answer.text.removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    deltas = (choice["delta"] for chunk in chunks for choice in chunk["choices"])
    return "".join(delta.get("content", "") for delta in deltas)
