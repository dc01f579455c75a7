"""One GET that can cost neither time nor memory without end."""

import socket

import httpx
import pytest

from node.engines import http


@pytest.mark.anyio
async def test_an_answer_is_returned_whatever_its_status(engine):
    async with http.new_client() as client:
        reply = await http.get(client, f"{engine.url}/nowhere")

    assert reply.status == 404


@pytest.mark.anyio
async def test_no_connection_is_used_twice(engine):
    """A server may close a kept one just then, and would be told as down though it works."""
    async with http.new_client() as client:
        for _ in range(2):
            await http.get(client, f"{engine.url}/v1/models")

    assert len(engine.connections) == len(engine.requests) == 2
    assert {one.header("connection") for one in engine.requests} == {"close"}


@pytest.mark.anyio
async def test_a_closed_port_cannot_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    async with http.new_client() as client:
        with pytest.raises(http.NoAnswer, match="cannot be reached") as raised:
            await http.get(client, f"http://127.0.0.1:{port}/")

    assert not raised.value.sight.silent


@pytest.mark.anyio
async def test_a_server_that_drips_is_given_up():
    """Each chunk comes in time; it is the sum that is bounded."""

    async def drip():
        while True:
            yield b" "
            await http.asyncio.sleep(0.01)

    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=drip()))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(http.NoAnswer, match=r"no full answer within 0\.05 s") as raised:
            await http.get(client, "http://a/", seconds=0.05)

    assert raised.value.sight.silent


@pytest.mark.anyio
@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH_9\r\n", b"\x00\x01\x02", b""])
async def test_what_is_not_http_is_named_so(garbage):
    import asyncio

    async def speak(reader, writer):
        writer.write(garbage)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, http.new_client() as client:
        with pytest.raises(http.NoAnswer, match="does not speak HTTP"):
            await http.get(client, f"http://127.0.0.1:{port}/")
