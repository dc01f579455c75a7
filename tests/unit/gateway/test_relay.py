"""The way through a node's door, as the gateway goes it."""

import asyncio
import contextlib

import pytest

from gateway import relay as relay_module
from gateway.relay import NoTunnel, Relay, Trust, _Knock, tunnel
from tests.fakes.answers import Close, Hang, Pause, Send
from tests.fakes.node_door import node_door

pytestmark = pytest.mark.anyio

TRUST = Trust(None)


class Speaker(asyncio.Protocol):
    """What a caller has of the connection."""

    def __init__(self):
        self.heard = b""
        self.transport = None
        self.lost = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.heard += data

    def connection_lost(self, exc):
        self.lost.set()


class Node:
    """A node that answers every question with `parts`, whatever it is."""

    def __init__(self, *parts):
        self.parts = parts
        self.asked = b""
        self.gone = asyncio.Event()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        return self, Relay("127.0.0.1", port, "t0ken")

    async def __aexit__(self, *_):
        self.server.close()
        await asyncio.wait_for(self.gone.wait(), 30)

    async def _answer(self, reader, writer):
        self.asked = await reader.readuntil(b"\r\n\r\n")
        for part in self.parts:
            match part:
                case Send():
                    writer.write(part.data)
                    await writer.drain()
                case Pause():
                    await asyncio.sleep(part.seconds)
                case Hang():
                    await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self.gone.set()


async def test_the_question_names_the_service_and_shows_the_token():
    async with Node(Send(b"HTTP/1.1 200 OK\r\n\r\n"), Hang()) as (node, relay):
        speaker = await tunnel(relay, "h/e", Speaker, TRUST)

        assert node.asked.startswith(b"CONNECT h/e HTTP/1.1\r\n")
        assert b"\r\nproxy-authorization: Bearer t0ken\r\n" in node.asked
        assert "t0ken" not in repr(relay)
        speaker.transport.close()
        await speaker.lost.wait()


async def test_what_comes_with_the_answer_is_not_lost():
    parts = Send(b"HTTP/1.1 2"), Pause(0.01), Send(b"00 OK\r\nx: y\r\n\r\nearly"), Hang()
    async with Node(*parts) as (_, relay):
        speaker = await tunnel(relay, "h/e", Speaker, TRUST)

        assert speaker.heard == b"early"
        speaker.transport.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Send(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), "cannot reach it"),
        (Send(b"HTTP/1.1 404 Not Found\r\n\r\n"), "does not offer it any more"),
        (Send(b"HTTP/1.1 407 No\r\n\r\n"), "another token"),
        (Send(b"HTTP/1.1 503 No\r\n\r\n"), "as much as it may"),
        (Send(b"HTTP/1.1 418 Teapot\r\n\r\n"), "answers 418"),
        (Send(b"HTTP/1.1 20\xc2\xb2 OK\r\n\r\n"), "something else than HTTP"),
        (Send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "something else than HTTP"),
        (Send(b"\r\n\r\n"), "something else than HTTP"),
        (Send(b"x" * 8_192), "something else than HTTP"),
        (Close(), "closed the connection"),
    ],
)
async def test_a_door_that_leads_nowhere_is_told_in_words(answer, said):
    async with Node(answer) as (node, relay):
        with pytest.raises(NoTunnel, match=said):
            await tunnel(relay, "h/e", Speaker, TRUST)
        await asyncio.wait_for(node.gone.wait(), 30)


async def test_what_comes_before_the_answer_is_taken_is_kept():
    knock = _Knock(Relay("127.0.0.1", 1, "t0ken"), "h/e")
    for part in (b"HTTP/1.1 200 OK\r\n\r\n", b"ea", b"rly"):
        knock.data_received(part)
    await knock.answer

    assert knock.rest == b"early"


async def test_a_tunnel_that_ended_before_it_was_taken_is_none(monkeypatch):
    """Whoever took it would wait for an answer without end: the news of its end is over."""

    class Lost(_Knock):
        def data_received(self, data):
            super().data_received(data)
            self.connection_lost(None)

    monkeypatch.setattr(relay_module, "_Knock", Lost)
    async with Node(Send(b"HTTP/1.1 200 OK\r\n\r\n"), Hang()) as (_, relay):
        with pytest.raises(NoTunnel, match="closed the connection"):
            await tunnel(relay, "h/e", Speaker, TRUST)


async def test_a_server_that_does_not_accept_is_silence():
    async with Node(Send(b"HTTP/1.1 504 Gateway Timeout\r\n\r\n")) as (_, relay):
        with pytest.raises(TimeoutError):
            await tunnel(relay, "h/e", Speaker, TRUST)


async def test_who_gives_up_waiting_leaves_no_connection_behind():
    async with Node(Hang()) as (node, relay):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tunnel(relay, "h/e", Speaker, TRUST)

        await asyncio.wait_for(node.gone.wait(), 30)


async def test_the_door_of_a_node_opens_for_it(engine):
    async with node_door() as door:
        door.offer(h_e=engine.url)
        host, port = door.address.split(":")
        speaker = await tunnel(Relay(host, int(port), door.token), "h/e", Speaker, TRUST)
        speaker.transport.write(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
        await engine.request()
        speaker.transport.close()
        await engine.until(lambda: not engine.open, 10)
