"""BerriAI/litellm#38358: an engine that said nothing was waited for beyond every timeout."""

import pytest

from tests.fakes.answers import Hang

pytestmark = pytest.mark.anyio


async def test_silence_ends_with_its_time(front, engine):
    engine.script = lambda _: [Hang()]

    answer = await front.post({"model": "small"})

    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "upstream_timeout"
