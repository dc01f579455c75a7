"""vllm-project/router#215: counts of requests leaked, until one worker got all of them."""

import asyncio

import pytest

from tests.fakes.answers import Hang
from tests.fakes.engine import Engine
from tests.integration.gateway.front import front as serve
from tests.integration.gateway.front import request
from tests.integration.gateway.test_disconnect import leave

pytestmark = pytest.mark.anyio

ASK = request(b'{"model":"small"}')


async def test_after_many_that_were_cancelled_each_engine_gets_half():
    def silent(_):
        return [Hang()]

    async with Engine(silent) as one, Engine(silent) as other, serve("protocol") as front:
        front.offer(one.address, other.address)
        for _ in range(40):
            _, writer = await front.connect()
            writer.write(ASK)
            await asyncio.sleep(0.001)
            leave(writer, "RST")
        await front.idle()
        assert front.gateway.loads() == {}

        writers = [(await front.connect())[1] for _ in range(20)]
        for writer in writers:
            writer.write(ASK)
        for engine in (one, other):
            await engine.until(lambda engine=engine: engine.in_flight == 10, 10)
        for writer in writers:
            leave(writer, "FIN")
