"""NuGuardAI/nuguard#455: a retry after part of an answer gave the client that part twice."""

import pytest

from tests.fakes import answers
from tests.fakes.answers import Reset
from tests.fakes.engine import Engine

pytestmark = pytest.mark.anyio


async def test_after_the_first_byte_no_other_engine_is_asked(front, engine):
    engine.script = lambda _: [*answers.events([answers.data({"n": 1})])[:3], Reset()]
    async with Engine(engine.script) as other:
        front.offer(engine.address, other.address)
        text = (await front.post({"model": "small", "stream": True})).text

        assert text.count('{"n": 1}') == 1
        assert "upstream_error" in text
        assert len(engine.requests) + len(other.requests) == 1
