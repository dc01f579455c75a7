"""Serves `/metrics` of control, and nothing else: plain HTTP, one answer a connection."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from control.api import auth
from control.api.errors import GenieHiveError
from control.api.families import CONTENT_TYPE
from control.api.ports import join_address, parse_address
from control.listening import CannotListen, check_free

MAX_HEAD = 8_192  # bytes
MAX_CONNECTIONS = 32
PATIENCE_S = 10.0  # for a scraper to ask, and to be answered

log = logging.getLogger(__name__)


class MetricsPage:
    """Answers scrapers with what `text` returns. keys: of which one is needed, if there are any."""

    def __init__(self, text: Callable[[], Awaitable[bytes]], keys: Sequence[str]) -> None:
        self._text = text
        self._keys = keys
        self._connections = 0
        self._server: asyncio.Server | None = None

    async def listen(self, address: str | None) -> None:
        """Serve at `address` from now on, if there is one.

        Raises:
            CannotListen: nothing can listen there.
        """
        if address is None:
            return
        host, port = parse_address(address)
        try:
            check_free(address)
            self._server = await asyncio.start_server(self._serve, host, port, limit=MAX_HEAD)
        except (OSError, CannotListen) as error:
            raise CannotListen(f"metrics.listen: {error}") from error
        port = self._server.sockets[0].getsockname()[1]
        log.info("metrics at http://%s/metrics", join_address(host, port))

    def close(self) -> None:
        """Take no more scrapers."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._connections <= MAX_CONNECTIONS:
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(await self._answer(head.decode("latin-1")))
                    await writer.drain()
        except TimeoutError:
            writer.transport.abort()  # what was not read by now would wait for ever
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass  # who leaves, or does not speak HTTP, gets no answer
        finally:
            self._connections -= 1
            writer.close()

    async def _answer(self, head: str) -> bytes:
        request, *lines = head.rstrip().split("\r\n")
        method, _, target = request.partition(" ")
        if target.partition(" ")[0].partition("?")[0] != "/metrics":
            return _answer(HTTPStatus.NOT_FOUND, b"metrics are at /metrics\n")
        if method != "GET":
            return _answer(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET\n", "allow: GET\r\n")
        if self._keys and not auth.known(_bearer(lines), self._keys):
            why = b"a key of an operator or administrator is needed: authorization: Bearer KEY\n"
            return _answer(HTTPStatus.UNAUTHORIZED, why, "www-authenticate: Bearer\r\n")
        try:
            text = await self._text()
        except GenieHiveError as error:
            return _answer(HTTPStatus(error.http), f"{error}\n".encode())
        return _answer(HTTPStatus.OK, text, content_type=CONTENT_TYPE)


def _bearer(lines: Sequence[str]) -> str:
    """Return the key in header lines; empty without one."""
    for line in lines:
        name, _, value = line.partition(":")
        scheme, _, key = value.strip().partition(" ")
        if name.lower() == "authorization" and scheme.lower() == "bearer":
            return key.strip()
    return ""


def _answer(
    status: HTTPStatus, content: bytes, more: str = "", content_type: str = "text/plain"
) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(content)}\r\n{more}connection: close\r\n\r\n"
    )
    return head.encode() + content
