"""Waiting is visible to clients, and none of them stumbles over it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai
import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from gateway import exchange, seeking
from gateway.told import Told
from tests.fakes import answers
from tests.fakes.answers import Hang
from tests.fakes.engine import Engine
from tests.integration.gateway.front import CHAT, Front, request
from tests.integration.gateway.front import front as serve
from tests.series import series

pytestmark = pytest.mark.anyio

HELLO: Any = [{"role": "user", "content": "Say hello"}]
BODY = {"model": "small", "messages": HELLO}
WORDS = ["hel", "lo", "!"]
STREAM = answers.completion_events(WORDS, "small")
# The service of one slot is fast, so that it is never long until it is free.
FAST = Told("h/0", "small", prefill=1e6, decode=((1, 1e4),), answer=2.0, samples=9)


@asynccontextmanager
async def one_slot(door: str, engine: Engine, **settings: Any) -> AsyncIterator[Front]:
    """Serve `small` by one engine that takes one request at a time; others wait for it."""
    async with serve(door, **settings) as front:
        endpoint = inventory.Endpoint(scheme="http", address=engine.address)
        endpoint.kind = inventory.ENDPOINT_KIND_DIRECT
        service = pb.RouteService(service_id="h/0", host_id="h", endpoint=endpoint, concurrency=1)
        candidate = pb.Candidate(service_id="h/0", asset_id="small", score=1)
        target = pb.Target(name="small", operation=inventory.OPERATION_CHAT, candidates=[candidate])
        room = pb.RoomSettings(
            waiting=True, priority=pb.PRIORITY_NORMAL, highest_priority=pb.PRIORITY_HIGH
        )
        front.route(
            [
                pb.Resource(name="service/h/0", service=service),
                pb.Resource(name="target/chat/small", target=target),
                pb.Resource(name="room", room=room),
            ]
        )
        front.gateway.learned.tell([FAST])
        yield front


@asynccontextmanager
async def taken(front: Front, engine: Engine) -> AsyncIterator[asyncio.StreamWriter]:
    """Keep the only slot until the block ends, or the writer is closed."""
    engine.script = lambda asked: [Hang()] if asked is engine.requests[0] else STREAMED
    _, writer = await front.connect()
    writer.write(request(b'{"model":"small","messages":[]}'))
    await engine.request()
    try:
        yield writer
    finally:
        writer.transport.abort()


STREAMED = answers.events(STREAM)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell those who wait so, soon and often."""
    monkeypatch.setattr(seeking, "WAITING_S", 0.01)
    monkeypatch.setattr(exchange, "WAITING_PING_S", 0.01)


def client(front: Front, **settings: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{front.url}/v1", api_key="local", **settings)


async def said(stream: Any) -> list[str]:
    """Return the words of a stream, as the client of OpenAI reads them."""
    return [word async for chunk in stream if (word := chunk.choices[0].delta.content)]


async def waiting(front: Front) -> None:
    async with asyncio.timeout(30):
        while not front.gateway.room.waiting:  # noqa: ASYNC110  # it sends no events
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("impatient")
async def test_a_stream_that_waits_says_so_in_comments_and_in_its_head(door: str, engine: Engine):
    async with (
        one_slot(door, engine) as front,
        taken(front, engine) as first,
        httpx.AsyncClient(trust_env=False, timeout=30) as http,
        http.stream("POST", front.url + CHAT, json={**BODY, "stream": True}) as answer,
    ):
        lines = answer.aiter_lines()
        comments = [line for line in [await anext(lines) for _ in range(3)] if line]
        first.transport.abort()
        rest = [line async for line in lines if line]

    assert comments == [": waiting, position 1, about 1 s"] * 2
    assert [line for line in rest if not line.startswith(":")] == [
        line.strip() for line in b"".join(STREAM).decode().split("\n\n") if line
    ]
    assert answer.headers["x-geniehive-queue-position"] == "1"
    assert int(answer.headers["x-geniehive-queue-eta-ms"]) >= 0
    assert "x-geniehive-service" not in answer.headers  # nobody knew when it was sent


@pytest.mark.usefixtures("impatient")
async def test_a_client_of_openai_reads_it_as_if_it_had_not_waited(door: str, engine: Engine):
    async with (
        one_slot(door, engine) as front,
        client(front, max_retries=0) as local,
        taken(front, engine) as first,
    ):
        # It has the head of the stream as soon as it is told that it waits.
        stream = await local.chat.completions.create(model="small", messages=HELLO, stream=True)
        assert front.gateway.room.waiting == 1
        first.transport.abort()
        words = await said(stream)

    assert words == WORDS


async def test_a_client_of_openai_that_is_told_to_come_back_does(engine: Engine):
    async with (
        one_slot("protocol", engine, limits={"waiting": 0}) as front,
        client(front, max_retries=1) as local,
        taken(front, engine) as first,
    ):
        asking = asyncio.ensure_future(
            local.chat.completions.create(model="small", messages=HELLO, stream=True)
        )
        async with asyncio.timeout(30):
            while not front.gateway.refused["all_busy"]:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(0.005)
        first.transport.abort()
        words = await said(await asking)

    assert words == WORDS


async def test_who_is_refused_is_told_what_is_busy_and_when_to_come_back(door: str, engine: Engine):
    async with one_slot(door, engine, limits={"waiting": 1}) as front, taken(front, engine):
        waits = asyncio.ensure_future(front.post(BODY))
        await waiting(front)
        full = await front.post(BODY)
        waits.cancel()
        await asyncio.wait([waits])

    error = full.json()["error"]
    assert (full.status_code, error["code"]) == (429, "all_busy")
    assert error["message"] == "1 slot of small busy, 1 waiting; retry in 1 s"
    assert full.headers["retry-after"] == "1"


async def test_how_long_it_waited_stands_in_the_answer_and_in_its_story(door: str, engine: Engine):
    async with one_slot(door, engine) as front, taken(front, engine) as first:
        asking = asyncio.ensure_future(front.post(BODY))
        await waiting(front)
        async with httpx.AsyncClient(base_url=front.url, trust_env=False) as http:
            (waits, *_) = (await http.get("/v1/requests")).json()["data"]
            during = series((await http.get("/metrics")).text)
            engine.script = lambda _: answers.document({"usage": None})
            first.transport.abort()
            answer = await asking
            path = f"/v1/requests/{answer.headers['x-request-id']}"
            queue = (found := (await http.get(path)).json())["queue"]
            after = series((await http.get("/metrics")).text)

    assert (waits["outcome"], waits["queue"]["position"]) == ("waiting", 1)
    assert (during["waiting_requests"], after["waiting_requests"]) == (1, 0)
    assert (during["queue_seconds_count"], after["queue_seconds_count"]) == (0, 1)
    assert during["believed_slots,h/0"] == 1
    assert during["learned_prefill_tokens_per_second,h/0,small"] == 1e6
    assert during["learned_decode_tokens_per_second,h/0,small"] == 1e4
    assert (answer.status_code, found["outcome"]) == (200, "answered")
    assert answer.headers["x-geniehive-queue-position"] == "1"
    assert int(answer.headers["x-geniehive-queue-ms"]) == pytest.approx(
        queue["waited_s"] * 1_000, abs=1
    )
    assert (queue["position"], queue["reason"]) == (1, "1 slot of small busy")
    assert found["overhead_ms"] + queue["waited_s"] * 1_000 == pytest.approx(
        found["attempts"][0]["began_s"] * 1_000, abs=0.1
    )


@pytest.mark.usefixtures("impatient")
async def test_where_nothing_is_said_in_between_a_stream_begins_with_its_answer(
    door: str, engine: Engine
):
    async with (
        one_slot(door, engine, timeouts={"ping": 0}) as front,
        taken(front, engine) as first,
    ):
        asking = asyncio.ensure_future(front.post({**BODY, "stream": True}))
        await waiting(front)
        await asyncio.sleep(0.2)  # in which it would be told that it waits
        first.transport.abort()
        answer = await asking

    assert answer.content == b"".join(STREAM)
    assert int(answer.headers["x-geniehive-queue-ms"]) >= 200
    assert answer.headers["x-geniehive-service"] == "h/0"


async def test_that_a_client_left_while_it_waited_is_told(door: str, engine: Engine):
    async with one_slot(door, engine) as front, taken(front, engine):
        asking = asyncio.ensure_future(front.post(BODY))
        await waiting(front)
        asking.cancel()
        async with asyncio.timeout(30):
            while front.gateway.room.waiting:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(0.005)
        (left,) = [one.record() for one in front.gateway.recent.noteworthy]

    assert (left.outcome, left.attempts) == ("client_left", [])
    assert left.queued is not None
    assert left.queued.position == 1


async def test_what_did_not_wait_says_nothing_of_it(door: str, engine: Engine):
    engine.script = lambda _: answers.document({})
    async with one_slot(door, engine) as front:
        answer = await front.post(BODY)

    assert not [name for name in answer.headers if "queue" in name]
