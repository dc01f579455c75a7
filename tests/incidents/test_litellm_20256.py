"""BerriAI/litellm#20256: a key stayed locked after its engine had timed out, until a restart."""

import pytest

from tests.fakes import answers
from tests.fakes.answers import Close, Hang
from tests.fakes.engine import openai
from tests.integration.gateway.front import front as serve

pytestmark = pytest.mark.anyio

AUTHORIZATION = "Bearer sk-one"


@pytest.mark.parametrize(
    "fault", [answers.failure(500, "it broke"), [Close()], [Hang()]], ids=["500", "lost", "silent"]
)
async def test_a_key_may_ask_again_when_its_requests_have_failed(engine, fault):
    engine.script = lambda _: fault
    async with serve(
        "protocol", limits={"requests_per_key": 1}, timeouts={"first_byte": 0.2}
    ) as front:
        front.offer(engine.address)
        front.allow("sk-one")
        for _ in range(3):
            failed = await front.post({"model": "small"}, authorization=AUTHORIZATION)
            assert failed.status_code in (502, 504)
        engine.script = openai(["small"])

        answer = await front.post({"model": "small"}, authorization=AUTHORIZATION)

    assert answer.status_code == 200
