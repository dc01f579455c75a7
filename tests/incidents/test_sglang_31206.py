"""sgl-project/sglang#31206: a breaker that was half open never closed again."""

import asyncio

import pytest

from tests.fakes import answers
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import front as serve

pytestmark = pytest.mark.anyio

EJECTION = {"failures": 2, "pause": 0.1, "slow_start": 0.1}
BROKEN = answers.failure(500, "it broke")


async def test_an_engine_that_works_again_serves_again():
    async with (
        Engine(lambda _: BROKEN) as engine,
        Engine(openai(["small"])) as other,
        serve("protocol", ejection=EJECTION) as front,
    ):
        front.offer(engine.address, other.address)
        breaker = front.gateway.routes.upstreams["h/0"].breaker

        async def ask_until(fact):
            async with asyncio.timeout(20):
                while not fact():
                    assert (await front.post({"model": "small"})).status_code == 200
                    await asyncio.sleep(0.01)

        for _ in range(3):
            engine.script = lambda _: BROKEN
            await ask_until(lambda: breaker.ejection(front.gateway.clock()))
            engine.script = openai(["small"])
            await ask_until(lambda: breaker.whole)
