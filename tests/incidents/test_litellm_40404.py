"""BerriAI/litellm#40404: a broken stream was an error, and nobody else was ever asked.

Before the first event somebody else is; after it nobody could go on where it broke off, and
an event that is no JSON breaks nothing.
"""

import pytest

from tests.fakes import answers
from tests.fakes.answers import Close, Hang, Reset
from tests.fakes.engine import Engine, openai

pytestmark = pytest.mark.anyio

STREAM = {"model": "small", "stream": True}


async def test_a_broken_event_passes_and_so_does_what_follows(front, engine):
    parts = [answers.data({"n": 1}), b"data: {broken\n\n", answers.data({"n": 2})]
    parts.append(answers.data("[DONE]"))
    engine.script = lambda _: answers.events(parts)

    assert (await front.post(STREAM)).content == b"".join(parts)


@pytest.mark.parametrize("end", [Close(), Reset(), Hang()], ids=["closed", "reset", "stalled"])
async def test_a_stream_that_breaks_before_its_first_event_is_begun_elsewhere(front, engine, end):
    engine.script = lambda _: [*answers.events([])[:1], end]
    async with Engine(openai(["small"])) as other:
        front.offer(engine.address, other.address)
        said = [(await front.post(STREAM)).text for _ in range(2)]  # one begins at each

    assert [text.count("word") for text in said] == [8, 8]
    assert all(text.endswith("data: [DONE]\n\n") for text in said)
