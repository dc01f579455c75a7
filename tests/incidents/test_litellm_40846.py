"""BerriAI/litellm#40846: a request that was answered kept its key's place for a while still."""

import asyncio

import pytest

from tests.fakes import answers
from tests.integration.gateway.front import front as serve
from tests.integration.gateway.front import request

pytestmark = pytest.mark.anyio

ASK = request(b'{"model":"small"}', "Authorization: Bearer sk-one")


@pytest.mark.parametrize("door", ["protocol", "asgi"])
async def test_who_has_read_an_answer_may_ask_again_at_once(engine, door):
    engine.script = lambda _: answers.document({"ok": {}})
    async with serve(door, limits={"requests_per_key": 1}) as front:
        front.offer(engine.address)
        front.allow("sk-one")
        clients = [await front.connect() for _ in range(2)]
        async with asyncio.timeout(30):
            for number in range(20):  # by turns, so that no connection puts them in order
                reader, writer = clients[number % 2]
                writer.write(ASK)
                assert (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 200 ")
        for _, writer in clients:
            writer.close()
