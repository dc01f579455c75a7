"""BerriAI/litellm#37140: leaving was not noticed where the answer is no stream."""

import pytest

from tests.fakes import answers
from tests.fakes.answers import Hang
from tests.integration.gateway.front import request
from tests.integration.gateway.test_disconnect import BOUND_SECONDS, leave

pytestmark = pytest.mark.anyio


async def test_a_client_that_leaves_within_a_document_frees_its_engine(front, engine):
    engine.script = lambda _: answers.cut(answers.document({"text": "x" * 100}), 150, Hang())
    _, writer = await front.connect()
    writer.write(request(b'{"model":"small"}'))
    arrived = await engine.request()
    leave(writer, "RST")

    await arrived.connection.closed_within(BOUND_SECONDS)
    assert arrived.connection.by_peer
