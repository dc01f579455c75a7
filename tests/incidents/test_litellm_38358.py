"""BerriAI/litellm#38358: an engine that said nothing was waited for beyond every timeout."""

import pytest

from tests.fakes.answers import Hang
from tests.fakes.engine import Engine, openai

pytestmark = pytest.mark.anyio


async def test_silence_ends_with_its_time(front, engine):
    engine.script = lambda _: [Hang()]

    answer = await front.post({"model": "small"})

    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "upstream_timeout"


async def test_who_waited_for_silence_is_served_by_another(front, engine):
    engine.script = lambda _: [Hang()]
    async with Engine(openai(["small"])) as other:
        front.offer(engine.address, other.address)
        answer = await front.post({"model": "small"})

    assert answer.status_code == 200
    assert answer.headers["x-geniehive-attempts"] == "2"
