"""What stand-ins share: routes, answers that stream, slots."""

import asyncio

import httpx
import pytest

from tests.engines.server import StandIn, asked
from tests.fakes import answers

pytestmark = pytest.mark.anyio


class Plain(StandIn):
    """Two routes of its own beside inference."""

    def routes(self):
        return {
            "GET /who": lambda request: answers.document({"you": asked(request, "name")}),
            "POST /load/{model}": lambda request, model: answers.document({"loaded": model}),
            "POST /v1/chat/completions": self.inference,
            "POST /v1/embeddings": self.inference,
        }


@pytest.fixture
async def engine(anyio_backend):
    async with Plain(slots=1, words=3) as engine:
        yield engine


async def call(engine, method, path, **options):
    async with httpx.AsyncClient(base_url=engine.url, trust_env=False) as client:
        return await client.request(method, path, **options)


async def test_a_route_takes_its_query_and_its_part_of_the_path(engine):
    answer = await call(engine, "GET", "/who?name=me")
    loaded = await call(engine, "POST", "/load/Systran%2Fwhisper/small")

    assert answer.json() == {"you": "me"}
    assert loaded.json() == {"loaded": "Systran/whisper/small"}
    assert engine.paths()[0] == "GET /who?name=me"


async def test_head_is_get_without_its_body_and_the_rest_is_not_found(engine):
    answer = await call(engine, "HEAD", "/who")
    missing = await call(engine, "GET", "/elsewhere")

    assert (answer.status_code, answer.content) == (200, b"")
    assert missing.status_code == 404


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_is_answered_for_whatever_model_is_asked_for(engine, stream):
    body = {"model": "any", "messages": [], "stream": stream}
    answer = await call(engine, "POST", "/v1/chat/completions", json=body)

    assert answer.text.count("word") == 3


async def test_embeddings_are_answered(engine):
    answer = await call(engine, "POST", "/v1/embeddings", json={"model": "any", "input": "text"})

    assert answer.json()["data"][0]["embedding"] == [4.0] * 4


async def test_who_finds_no_free_slot_waits_and_who_leaves_makes_room(engine):
    engine.pace = 60.0
    body = {"model": "any", "messages": [], "stream": True}
    chats = [
        asyncio.ensure_future(call(engine, "POST", "/v1/chat/completions", json=body))
        for _ in range(2)
    ]
    await engine.until(lambda: (engine.running, engine.waiting) == (1, 1), 10.0)
    for chat in chats:
        chat.cancel()
    await asyncio.gather(*chats, return_exceptions=True)
    await engine.until(lambda: (engine.running, engine.waiting) == (0, 0), 10.0)
