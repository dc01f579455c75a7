"""BerriAI/litellm#34929: one outage made every replica not ready, and took them all away."""

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_a_gateway_with_routes_is_ready_while_control_is_away(front):
    async with httpx.AsyncClient(base_url=front.url, trust_env=False) as client:
        answer = await client.get("/ready")

    assert answer.is_success
    assert answer.json()["control"] == "unreachable"
