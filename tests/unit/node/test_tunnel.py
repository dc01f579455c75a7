"""The door of a node: who is let through, to what, and how it ends."""

import asyncio
import contextlib
import socket

import pytest

from gateway.config import Timeouts
from node import relay, tunnel
from node.state import Host, Metrics, Observation, Report, Service, Watched
from tests.fakes import answers
from tests.fakes.answers import Hang, Reset, Send
from tests.fakes.engine import Engine, openai
from tests.fakes.node_door import NodeDoor, node_door

pytestmark = pytest.mark.anyio

BOUND_SECONDS = 10.0
ASK = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture
async def door(engine: Engine):
    async with node_door() as opened:
        opened.offer(h_e=engine.url)
        yield opened


def question(door: NodeDoor, service: str = "h/e", token: str | None = None) -> bytes:
    bearer = door.token if token is None else token
    return (
        f"CONNECT {service} HTTP/1.1\r\nhost: {service}\r\n"
        f"Proxy-Authorization: Bearer {bearer}\r\n\r\n"
    ).encode()


async def connect(door: NodeDoor):
    host, port = door.address.rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


async def told(door: NodeDoor, *parts: bytes) -> bytes:
    """Send `parts` and return all that comes until the door closes the connection."""
    reader, writer = await connect(door)
    for part in parts:
        writer.write(part)
        await writer.drain()
    async with asyncio.timeout(BOUND_SECONDS):
        answer = await reader.read()
    writer.close()
    return answer


async def settled(fact) -> None:
    async with asyncio.timeout(BOUND_SECONDS):
        while not fact():  # noqa: ASYNC110  # a door sends no events
            await asyncio.sleep(0.005)


async def through(door: NodeDoor):
    """Return a connection to the engine."""
    reader, writer = await connect(door)
    writer.write(question(door))
    async with asyncio.timeout(BOUND_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return reader, writer


async def test_bytes_pass_both_ways(door, engine):
    reader, writer = await through(door)
    writer.write(ASK)
    async with asyncio.timeout(BOUND_SECONDS):
        answer = await reader.readuntil(b'"small"')

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert engine.requests[0].raw == ASK
    writer.close()


async def test_what_follows_the_question_at_once_reaches_the_engine(door, engine):
    reader, writer = await connect(door)
    writer.write(question(door) + ASK)
    async with asyncio.timeout(BOUND_SECONDS):
        await reader.readuntil(b'"small"')

    assert engine.requests[0].raw == ASK
    writer.close()


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (lambda door: question(door, token="other"), 407),
        (lambda door: question(door, token=""), 407),
        (lambda door: question(door, token=door.token[:-1]), 407),
        (lambda door: b"CONNECT h/e HTTP/1.1\r\n\r\n", 407),
        (lambda door: b"CONNECT h/other HTTP/1.1\r\n\r\n", 407),
        (lambda door: question(door)[:-2] + b"proxy-authorization: Bearer x\r\n\r\n", 407),
        (lambda door: question(door, "h/other"), 404),
        (lambda door: question(door, "127.0.0.1:22"), 404),
        (lambda door: question(door, "h/e/../other"), 404),
        (lambda door: question(door, "http://127.0.0.1:80/"), 404),
        (lambda door: question(door).replace(b"CONNECT", b"GET"), 405),
        (lambda door: b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", 405),
        (lambda door: b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (lambda door: b"CONNECT h/\xc3\xa9 HTTP/1.1\r\n\r\n", 405),
        (lambda door: b"CONNECT " + b"x" * 5_000, 431),
        (lambda door: question(door)[:-2] + b"x: y\r\n" * 1_000 + b"\r\n", 431),
    ],
)
async def test_who_asks_otherwise_reaches_nothing(door, engine, made, status):
    answer = await told(door, made(door))

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert not engine.connections
    _, writer = await through(door)  # and the next one is let through
    writer.close()


async def test_a_slow_question_is_not_waited_for(door, engine, monkeypatch):
    monkeypatch.setattr(tunnel, "HEAD_SECONDS", 0.05)

    assert (await told(door, question(door)[:-2])).startswith(b"HTTP/1.1 408 ")
    assert not engine.connections


async def test_who_says_nothing_makes_room_for_who_asks(door, engine, monkeypatch):
    monkeypatch.setattr(relay, "MAX_ASKING", 3)
    silent = [await connect(door) for _ in range(6)]
    _, writer = await through(door)

    for reader, _ in silent[:3]:
        async with asyncio.timeout(BOUND_SECONDS):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
    for _, one in (*silent, (None, writer)):
        one.close()


async def test_a_question_in_single_bytes_is_understood(door, engine):
    reader, writer = await connect(door)
    for byte in question(door):
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    async with asyncio.timeout(BOUND_SECONDS):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_an_engine_that_is_away_is_told_so(door):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        door.offer(h_e=f"http://127.0.0.1:{taken.getsockname()[1]}")

        assert (await told(door, question(door))).startswith(b"HTTP/1.1 502 ")
    assert not door.tunnels


async def test_an_engine_that_does_not_accept_is_told_so(door, monkeypatch):
    monkeypatch.setattr(tunnel, "CONNECT_SECONDS", 0.2)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # who waits there to be accepted fills its queue
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        door.offer(h_e=f"http://127.0.0.1:{full.getsockname()[1]}")

        assert (await told(door, question(door))).startswith(b"HTTP/1.1 504 ")
    assert not door.tunnels


async def test_there_are_so_many_tunnels_and_no_more(engine):
    async with node_door(connections=2) as door:
        door.offer(h_e=engine.url)
        first, second = await through(door), await through(door)
        assert (await told(door, question(door))).startswith(b"HTTP/1.1 503 ")
        first[1].close()
        await settled(lambda: door.tunnels == 1)
        third = await through(door)
        second[1].close()
        third[1].close()


async def test_a_gateway_that_leaves_frees_the_engine(door, engine):
    engine.script = lambda _: [Hang()]
    _, writer = await through(door)
    writer.write(ASK)
    arrived = await engine.request()
    assert door.busy == 1
    writer.close()

    await arrived.connection.closed_within(BOUND_SECONDS)
    assert arrived.connection.by_peer
    assert (door.tunnels, door.busy) == (0, 0)


async def test_an_engine_that_ends_in_order_ends_so_for_the_gateway(door, engine):
    engine.script = lambda _: [Send(b"HTTP/1.1 200 OK\r\n\r\nall of it"), answers.Close()]
    reader, writer = await through(door)
    writer.write(ASK)
    async with asyncio.timeout(BOUND_SECONDS):
        assert (await reader.read()).endswith(b"all of it")
    writer.close()


async def test_an_engine_that_is_cut_off_is_no_end_in_order(door, engine):
    """Where no length tells it, the end of the connection is the end of the answer."""
    engine.script = lambda _: [Send(b"HTTP/1.1 200 OK\r\n\r\npart"), answers.Pause(0.1), Reset()]
    reader, writer = await through(door)
    writer.write(ASK)
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(BOUND_SECONDS):
            await reader.read()
    writer.close()


async def test_who_does_not_read_holds_back_the_engine(door, engine):
    big = answers.data({"text": "x" * 60_000})
    endless = [*answers.events([big] * 400)]
    engine.script = lambda _: endless
    reader, writer = await through(door)
    writer.transport.pause_reading()
    writer.write(ASK)
    slow = await engine.request()
    last = -1
    async with asyncio.timeout(20):
        while slow.sent != last:
            last = slow.sent
            await asyncio.sleep(0.3)

    assert 0 < last < len(answers.sent(endless)) / 2
    writer.transport.resume_reading()
    async with asyncio.timeout(20):
        while not slow.answered.is_set():
            await reader.read(1 << 20)
    assert slow.sent == len(answers.sent(endless))
    writer.close()


async def test_what_is_withdrawn_takes_nothing_new_and_ends_what_it_has(door, engine):
    reader, writer = await through(door)
    door.offer()
    assert (await told(door, question(door))).startswith(b"HTTP/1.1 404 ")
    engine.script = openai(["small"])
    writer.write(ASK)
    async with asyncio.timeout(BOUND_SECONDS):
        await reader.readuntil(b'"small"')
    writer.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone has it")
async def test_who_takes_nothing_is_not_taken_for_gone(door):
    """A client that stops reading stops its gateway, and a busy engine is read later."""
    _, writer = await through(door)
    [side] = door._sides

    def patience(one):
        peer = one.transport.get_extra_info("socket")
        return peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1000

    assert patience(side) > Timeouts().idle
    assert patience(side.other) == 0  # without end
    writer.close()


async def test_what_no_way_leads_to_is_not_offered(engine, monkeypatch):
    """A gateway that is told of loopback alone would ask a server of its own machine."""

    async def nowhere(remote):
        return None

    monkeypatch.setattr(relay, "_own_host", nowhere)
    here = Watched(Service("h/e", engine.url, "chat"), Observation("healthy"))
    there = Watched(Service("h/f", "http://lab:8000", "chat"), Observation("healthy"))
    report = Report(Host("h"), Metrics(), (here, there))
    async with node_door() as door:
        assert door.through(report).services == (there,)


@pytest.mark.parametrize("name", ["a" * 70, "a..b", "nobody.invalid"])
async def test_a_name_that_leads_nowhere_leads_to_no_way(name):
    assert await relay._own_host(f"{name}:8800") is None


async def test_many_that_come_and_go_leave_nothing_behind(door, engine):
    engine.script = lambda _: [Hang()]

    async def come_and_go(number):
        _, writer = await connect(door)
        writer.write((question(door) + ASK)[: 20 + 7 * number % 200])
        await asyncio.sleep(number % 5 * 0.005)
        writer.transport.abort()

    await asyncio.gather(*map(come_and_go, range(200)))
    await engine.until(lambda: not engine.open, BOUND_SECONDS)
    await settled(lambda: not door.busy and not door.tunnels)
    engine.faults.clear()  # heads that were cut on their way
