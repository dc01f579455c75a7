"""sgl-project/sglang#13894: a burst got 503 by the hundreds while all workers were alive."""

import asyncio

import pytest

from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import front as serve
from tests.integration.gateway.front import request

pytestmark = pytest.mark.anyio

BURST = 300
ASK = request(b'{"model":"small"}', "Connection: close")


async def test_a_burst_is_served_by_workers_that_are_alive():
    script = openai(["small"])
    async with Engine(script) as one, Engine(script) as other, serve("protocol") as front:
        front.offer(one.address, other.address)
        told = await asyncio.gather(*(front.raw(ASK) for _ in range(BURST)))

    assert {answer.partition(b"\r\n")[0] for answer in told} == {b"HTTP/1.1 200 OK"}
