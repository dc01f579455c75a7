"""BerriAI/litellm#27955: slots of parallel requests were not given back after a failure."""

import pytest

from tests.fakes import answers
from tests.fakes.answers import Close, Hang, Reset

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "answer",
    [answers.failure(500, "it broke"), [Close()], [Reset()], [Hang()]],
    ids=["error", "closed", "reset", "silence"],
)
async def test_a_failure_gives_its_slot_back(front, engine, answer):
    engine.script = lambda _: answer
    assert (await front.post({"model": "small"})).status_code in (502, 504)

    assert front.gateway.loads() == {}
    assert not front.gateway.active
