"""BerriAI/litellm#40404: one event that is no JSON broke off the whole stream."""

import pytest

from tests.fakes import answers

pytestmark = pytest.mark.anyio


async def test_a_broken_event_passes_and_so_does_what_follows(front, engine):
    parts = [answers.data({"n": 1}), b"data: {broken\n\n", answers.data({"n": 2})]
    parts.append(answers.data("[DONE]"))
    engine.script = lambda _: answers.events(parts)

    assert (await front.post({"model": "small", "stream": True})).content == b"".join(parts)
