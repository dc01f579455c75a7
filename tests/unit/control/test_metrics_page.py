"""Scrapers over plain HTTP: who gets what, and who gets nothing."""

import asyncio
import re
from contextlib import asynccontextmanager, suppress

import pytest

from control import metrics_page
from control.api.errors import RateLimited
from control.listening import CannotListen
from control.metrics_page import MAX_HEAD, MetricsPage

pytestmark = pytest.mark.anyio

GET = b"GET /metrics HTTP/1.1\r\nhost: t\r\n"


@asynccontextmanager
async def serving(caplog, keys=(), error=None):
    """Yield `ask(head)`, which returns all that is answered on a connection."""

    async def text():
        if error is not None:
            raise error
        return b"up 1\n"

    caplog.set_level("INFO")
    page = MetricsPage(text, keys)
    await page.listen("127.0.0.1:0")
    port = int(re.search(r"127.0.0.1:(\d+)/metrics", caplog.text)[1])

    async def ask(head, then=b"\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + then)
        try:
            return (await reader.read()).decode()
        except ConnectionResetError:  # it was closed with what we sent unread
            return ""
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    yield ask
    page.close()
    async with asyncio.timeout(5):
        while page._connections:  # noqa: ASYNC110  # it sends no events
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)  # for the loop to close what is left of them


async def test_a_scraper_gets_the_text(caplog):
    async with serving(caplog) as ask:
        answer = await ask(GET)

    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "content-type: text/plain; version=0.0.4" in head
    assert "content-length: 5" in head
    assert body == "up 1\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n", "404 Not Found"),
        (b"GET /metrics?a=b HTTP/1.1\r\n", "200 OK"),
        (b"POST /metrics HTTP/1.1\r\n", "405 Method Not Allowed"),
        (b"\xff\x00\r\n", "404 Not Found"),
        (b"", "404 Not Found"),
    ],
    ids=["another path", "parameters", "another method", "garbage", "nothing"],
)
async def test_what_is_not_asked_for_metrics_is_refused(caplog, head, status):
    async with serving(caplog) as ask:
        assert (await ask(head, b"\r\n\r\n")).startswith(f"HTTP/1.1 {status}\r\n")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"", 401),
        (b"Authorization: Bearer no\r\n", 401),
        (b"Authorization: Basic yes\r\n", 401),
        (b"authorization:bearer yes\r\n", 200),
    ],
    ids=["none", "a wrong one", "another scheme", "the right one"],
)
async def test_where_there_are_keys_one_is_needed(caplog, line, status):
    async with serving(caplog, keys=("other", "yes")) as ask:
        assert (await ask(GET + line)).startswith(f"HTTP/1.1 {status} ")


async def test_an_error_is_told_with_its_status(caplog):
    async with serving(caplog, error=RateLimited("too many look")) as ask:
        answer = await ask(GET)

    assert answer.startswith("HTTP/1.1 429 ")
    assert answer.endswith("\r\n\r\ntoo many look\n")


async def test_who_asks_for_too_much_or_too_slowly_is_left(caplog, monkeypatch):
    monkeypatch.setattr(metrics_page, "PATIENCE_S", 0.05)
    async with serving(caplog) as ask:
        assert await ask(GET, b"") == ""
        assert await ask(b"x" * (4 * MAX_HEAD)) == ""
        assert (await ask(GET)).startswith("HTTP/1.1 200 ")


async def test_what_a_scraper_does_not_read_is_not_kept_for_it(monkeypatch):
    monkeypatch.setattr(metrics_page, "PATIENCE_S", 0.05)
    size = 64 << 20  # more than the kernel takes

    async def text():
        return b"x" * size

    page = MetricsPage(text, ())
    await page.listen("127.0.0.1:0")
    reader, writer = await asyncio.open_connection(
        *page._server.sockets[0].getsockname(), limit=1_024
    )
    writer.write(GET + b"\r\n")
    async with asyncio.timeout(30):
        await reader.readuntil(b"\r\n")
        while page._connections:  # noqa: ASYNC110  # it sends no events
            await asyncio.sleep(0.001)
        read = 0
        with suppress(ConnectionError):
            while data := await reader.read(1 << 20):
                read += len(data)
    writer.close()
    page.close()

    assert read < size


async def test_connections_are_bounded(caplog, monkeypatch):
    monkeypatch.setattr(metrics_page, "MAX_CONNECTIONS", 0)
    async with serving(caplog) as ask:
        assert await ask(GET) == ""
        monkeypatch.undo()
        assert await ask(GET)


async def test_an_address_in_use_is_told(caplog):
    page = MetricsPage(None, ())
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(CannotListen, match=rf"metrics.listen: port {port} is "):
        await page.listen(f"127.0.0.1:{port}")
    server.close()
    await server.wait_closed()
