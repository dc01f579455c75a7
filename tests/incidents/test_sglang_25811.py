"""sgl-project/sglang#25811: 400s, which clients had earned, closed the way to good workers."""

import pytest

from tests.fakes import answers
from tests.fakes.engine import openai

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_mistakes_of_clients_take_no_engine_out(front, engine, status):
    engine.script = lambda _: answers.failure(status, "exceeds the available context size")
    told = [(await front.post({"model": "small"})).status_code for _ in range(20)]
    engine.script = openai(["small"])

    assert told == [status] * 20
    assert (await front.post({"model": "small"})).status_code == 200
    assert front.gateway.routes.upstreams["h/0"].breaker.whole
