"""A server that speaks OpenAI's API and is none of those known."""

import httpx
import pytest

from node.engines.detect import look
from tests.fakes.engine import Engine, openai


@pytest.mark.anyio
@pytest.mark.shows("openai", "fingerprint", "assets", by="stand-in")
async def test_its_list_is_offered_and_nothing_is_made_up():
    async with Engine(openai(["small"])) as engine, httpx.AsyncClient(trust_env=False) as client:
        sight = await look(client, engine.url, None)

    assert (sight.health, sight.engine) == ("healthy", "openai")
    assert [one.asset_id for one in sight.models or ()] == ["small"]
    assert sight.in_flight is None
    assert sight.counters is None
