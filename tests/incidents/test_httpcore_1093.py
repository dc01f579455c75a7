"""encode/httpcore#1093: a connect that was cancelled kept its place in the pool for ever."""

import socket

import pytest

from tests.integration.gateway.front import request
from tests.integration.gateway.test_disconnect import leave

pytestmark = pytest.mark.anyio


async def test_a_client_that_leaves_while_its_engine_is_connected_leaks_nothing(front, engine):
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())  # now nobody else is let in
        front.offer(f"127.0.0.1:{full.getsockname()[1]}")
        for _ in range(20):
            _, writer = await front.connect()
            writer.write(request(b'{"model":"small"}'))
            await writer.drain()
            leave(writer, "RST")
        await front.idle()

    assert front.gateway.loads() == {}
    front.offer(engine.address)
    assert (await front.post({"model": "small"})).is_success
