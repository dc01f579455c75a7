"""How the gateway listens decides how fast small writes to clients are."""

import asyncio
import socket

import pytest

from gateway.listening import listen

pytestmark = pytest.mark.anyio


async def test_small_writes_to_a_client_are_not_held_back():
    """A second write would else wait for the client's word on the first, 40 ms on Linux."""
    listener = listen("127.0.0.1:0")
    accepted = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(
        lambda _, writer: accepted.set_result(writer), sock=listener
    )
    _, client = await asyncio.open_connection(*listener.getsockname())
    writer = await asyncio.wait_for(accepted, 30)
    taken: socket.socket = writer.get_extra_info("socket")

    assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    for one in (writer, client):
        one.close()
        await one.wait_closed()
    server.close()
