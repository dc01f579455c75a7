"""One bounded GET. Whatever listens there, it costs control little time and memory.

Written on sockets, because thousands of services are asked again and again: httpx takes
430 us of this process for an answer, this takes 60.
"""

import asyncio
import ssl
from dataclasses import dataclass, field

import httptools

from control.api.ports import parse_address
from control.inventory import Endpoint
from control.probing.names import Names
from control.probing.verdict import Reply

MAX_BYTES = 64 << 10  # of an answer; what comes after it is not read
READ_BYTES = 16 << 10


class NoAnswer(Exception):
    """No answer came; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a service is asked. key: the engine's own, empty when it needs none."""

    endpoint: Endpoint
    key: str = field(default="", repr=False)


async def get(door: Door, path: str, context: ssl.SSLContext, names: Names) -> Reply:
    """Return the answer to `GET path` below the base path; a redirect is an answer.

    Takes as long as it takes: the caller bounds the time. context: for https.

    Raises:
        NoAnswer: it cannot be reached, or does not speak HTTP.
    """
    try:
        reader, writer = await _connection(door.endpoint, context, names)
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or "no reason given"
        raise NoAnswer(f"TLS: {reason.lower().replace('_', ' ')}") from error
    except (OSError, UnicodeError) as error:  # the latter for a name that DNS cannot hold
        raise NoAnswer("cannot be reached from control") from error
    try:
        writer.write(_request(door, path))
        return Reply(path, *await _answer(reader))
    except OSError as error:
        raise NoAnswer("closed the connection without an answer") from error
    finally:
        # Whoever stops listening here is told at once, and TLS waits for no farewell.
        writer.transport.abort()


async def _connection(
    endpoint: Endpoint, context: ssl.SSLContext, names: Names
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection to the first address of an endpoint that takes one."""
    host, port = parse_address(endpoint.address)
    encrypted = endpoint.scheme == "https"
    refusal = OSError("no address")
    for address in await names.addresses(host):
        try:
            return await asyncio.open_connection(
                address,
                port,
                limit=READ_BYTES,
                ssl=context if encrypted else None,
                server_hostname=(endpoint.tls_name or host) if encrypted else None,
            )
        except ssl.SSLError:
            raise
        except OSError as error:
            refusal = error
    raise refusal


def _request(door: Door, path: str) -> bytes:
    lines = [
        f"GET {door.endpoint.base_path.rstrip('/')}{path} HTTP/1.1",
        f"host: {door.endpoint.address}",
        "accept: application/json",
        "accept-encoding: identity",
        "connection: close",
    ]
    if door.key:
        lines.append(f"authorization: Bearer {door.key}")
    return "\r\n".join([*lines, "", ""]).encode()


class _Parts:
    """What the parser finds."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.body = bytearray()
        self.complete = False

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        self.status = status if status >= 200 else 0  # "early hints" are no answer yet

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = self.status > 0


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return status and body; what is longer than is looked at is cut."""
    parts = _Parts()
    read = 0
    while not parts.complete and read < MAX_BYTES and (data := await reader.read(READ_BYTES)):
        read += len(data)
        try:
            parts.parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise NoAnswer("does not speak HTTP") from error
    if not parts.status:
        raise NoAnswer("answers with an endless head" if read else "closed without an answer")
    return parts.status, bytes(parts.body)
