"""BerriAI/litellm#13774: a client that left was served to the end, minutes of GPU long."""

import pytest

from tests.fakes.answers import Hang
from tests.integration.gateway.front import request
from tests.integration.gateway.test_disconnect import BOUND_SECONDS, leave

pytestmark = pytest.mark.anyio


async def test_a_client_that_leaves_before_the_first_token_frees_its_engine(front, engine):
    engine.script = lambda _: [Hang()]
    _, writer = await front.connect()
    writer.write(request(b'{"model":"small","stream":true}'))
    arrived = await engine.request()
    leave(writer, "FIN")

    await arrived.connection.closed_within(BOUND_SECONDS)
    assert arrived.connection.by_peer
