"""geeks-accelerator/ollama-herd, its own account: `x` and `x:latest` were two models.

Requests for the one waited while hosts with the other had nothing to do.
"""

import httpx
import pytest

from node.engines import ollama
from tests.engines.ollama import Ollama
from tests.integration.gateway.front import Front


@pytest.mark.anyio
async def test_a_name_with_latest_and_one_without_are_the_same_model(front: Front):
    async with Ollama(["small"]) as engine, httpx.AsyncClient(trust_env=False) as client:
        sight = await ollama.look(client, engine.url)
        (model,) = sight.models or ()
        front.offer(engine.address, model=model.asset_id)
        answers = [await front.post({"model": name}) for name in ("small", "small:latest")]

    assert model.asset_id == "small"
    assert [answer.status_code for answer in answers] == [200, 200]
    services = {answer.headers["x-geniehive-service"] for answer in answers}
    assert services == {"h/0"}
