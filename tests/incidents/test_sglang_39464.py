"""sgl-project/sglang#39464: an engine that said it was full was taken for one that is broken."""

import pytest

from tests.fakes import answers
from tests.fakes.engine import openai

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [429, 503])
async def test_the_only_engine_is_asked_on_though_it_is_busy(front, engine, status):
    busy = answers.whole(b"full", status, [("Retry-After", "30")])
    engine.script = lambda _: busy
    for _ in range(20):
        answer = await front.post({"model": "small"})
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 30
    assert len(engine.requests) == 20
    engine.script = openai(["small"])

    assert (await front.post({"model": "small"})).status_code == 200
    assert front.gateway.routes.upstreams["h/0"].breaker.ejection(front.gateway.clock()) is None
