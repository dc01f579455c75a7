import asyncio
import ssl

import pytest

from control.inventory import Endpoint
from control.probing.asking import MAX_BYTES, Door, NoAnswer, get
from control.probing.names import Names
from tests.fakes import answers
from tests.fakes.answers import Close, Hang, Reset, Send
from tests.fakes.engine import Engine

pytestmark = pytest.mark.anyio

PLAIN = ssl.create_default_context()


async def ask(answer, path="/health", key="", base_path=""):
    """Return the reply, and the engine that gave it."""
    async with Engine(lambda _: answer) as engine, asyncio.timeout(30):
        door = Door(Endpoint("http", engine.address, base_path), key)
        reply = await get(door, path, PLAIN, Names())
    return reply, engine


async def test_an_answer_is_returned_whatever_its_status():
    for status in (200, 404, 503):
        reply, _ = await ask(answers.document({"status": "ok"}, status))

        assert (reply.path, reply.status) == ("/health", status)
        assert reply.body == b'{"status": "ok"}'


async def test_who_needs_no_key_is_told_none():
    _, engine = await ask(answers.whole(b""))
    (request,) = engine.requests

    assert (request.method, request.target, request.body) == ("GET", "/health", b"")
    assert request.headers == [
        ("host", request.header("host")),
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("connection", "close"),
    ]


@pytest.mark.parametrize("base_path", ["/engine/v2", "/engine/v2/"])
async def test_a_key_and_a_base_path_are_used(base_path):
    _, engine = await ask(answers.whole(b""), "/v1/models", "sekret", base_path)
    (request,) = engine.requests

    assert request.target == "/engine/v2/v1/models"
    assert request.header("authorization") == "Bearer sekret"


async def test_a_redirect_is_not_followed():
    elsewhere = answers.whole(b"", 302, [("Location", "/elsewhere")])
    reply, engine = await ask(elsewhere)

    assert reply.status == 302
    assert len(engine.requests) == 1


async def test_an_answer_may_be_chunked_or_end_with_its_connection():
    chunked, _ = await ask(answers.chunked([b"one ", b"two"]))
    closed, _ = await ask([Send(answers.head()), Send(b"one two"), Close()])

    assert chunked.body == closed.body == b"one two"


async def test_early_hints_are_no_answer_yet():
    hints = [Send(answers.head(103)), Send(answers.head(103)), *answers.whole(b"", 204)]
    reply, _ = await ask(hints)

    assert reply.status == 204


async def test_an_endless_body_is_cut():
    endless = [Send(answers.head()), *[Send(b"x" * 10_000)] * 1_000, Hang()]
    reply, engine = await ask(endless)

    assert reply.status == 200
    assert len(reply.body) < 2 * MAX_BYTES
    assert engine.requests[0].sent < 10_000 * 1_000


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([Close()], "closed without an answer"),
        ([Reset()], "closed the connection without an answer"),
        ([Send(b"SSH-2.0-OpenSSH_9.2\r\n"), Hang()], "does not speak HTTP"),
        ([Send(b"HTTP/1.1 200 OK\r\n"), *[Send(b"x: " + b"y" * 9_000 + b"\r\n")] * 20], "head"),
        ([*[Send(answers.head(103))] * 9_000, Hang()], "answers with an endless head"),
        ([Send(answers.head(101, [("Upgrade", "x")])), Hang()], "does not speak HTTP"),
    ],
    ids=["closes", "resets", "speaks something else", "a long head", "hints", "upgrades"],
)
async def test_what_is_no_answer_is_said_in_words(answer, why):
    with pytest.raises(NoAnswer, match=why):
        await ask(answer)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "nobody.invalid:80"])
async def test_who_is_not_there_cannot_be_reached(address):
    with pytest.raises(NoAnswer, match="cannot be reached from control"):
        await get(Door(Endpoint("http", address)), "/health", PLAIN, Names())


async def test_plain_http_is_no_tls():
    async def refuse(reader, writer):
        await reader.read(1)
        writer.write(answers.head(400))
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NoAnswer, match="TLS: "):
            await get(Door(Endpoint("https", f"127.0.0.1:{port}")), "/health", PLAIN, Names())


async def test_who_stops_asking_closes_the_connection():
    async with Engine(lambda _: [Hang()]) as engine:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await get(Door(Endpoint("http", engine.address)), "/health", PLAIN, Names())
        await engine.until(lambda: not engine.open, 5)
