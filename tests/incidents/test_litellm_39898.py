"""BerriAI/litellm#39898: a stream that stalled ended as a good answer without content."""

import pytest

from tests.fakes import answers
from tests.fakes.answers import Hang

pytestmark = pytest.mark.anyio


async def test_a_stream_that_stalls_ends_with_an_error_and_no_done(front, engine):
    started = answers.events([answers.data({"n": 1})])[:3]
    engine.script = lambda _: [*started, Hang()]

    text = (await front.post({"model": "small", "stream": True})).text

    assert '"upstream_timeout"' in text.rstrip().rpartition("\n\n")[2]
    assert "[DONE]" not in text
