"""The way to a service that only its node reaches: a tunnel through the node's door."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar, cast

MAX_HEAD_BYTES = 4 << 10
_END = b"\r\n\r\n"
P = TypeVar("P", bound=asyncio.Protocol)
_NO_HTTP = "its node answers something else than HTTP"
_CLOSED = "its node closed the connection"
# What the node says of the model server, and of us.
_REASONS = {
    HTTPStatus.BAD_GATEWAY.value: "its node cannot reach it",
    HTTPStatus.NOT_FOUND.value: "its node does not offer it any more",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED.value: "its node has another token by now",
    HTTPStatus.SERVICE_UNAVAILABLE.value: "its node relays as much as it may",
}


@dataclass(frozen=True, slots=True)
class Relay:
    """A door of a node. token: what it asks for, visible ASCII.

    tls_name: expected in its certificate, if not `host`.
    """

    host: str
    port: int
    token: str = field(repr=False)
    tls: bool = False
    tls_name: str = ""


class NoTunnel(OSError):
    """The node was reached, and passes nothing on. The message says why, for a log and a client."""


class Trust:
    """Whom doors with TLS must have their certificates from; None: the system's authorities."""

    def __init__(self, ca: Path | None) -> None:
        self._ca = ca
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Return the same for all connections. Raises OSError when the file cannot be read."""
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._ca)
        return self._context


async def tunnel(relay: Relay, service_id: str, make: Callable[[], P], trust: Trust) -> P:
    """Return a protocol whose connection is one to the model server itself.

    Raises:
        OSError: the door cannot be reached, or leads nowhere.
        TimeoutError: the model server accepts nothing.
    """
    loop = asyncio.get_running_loop()
    transport, knock = await loop.create_connection(
        lambda: _Knock(relay, service_id),
        relay.host,
        relay.port,
        ssl=trust.context() if relay.tls else None,
        server_hostname=(relay.tls_name or relay.host) if relay.tls else None,
    )
    try:
        await knock.answer
        if knock.lost:  # since then; nobody would be told of it any more
            raise NoTunnel(_CLOSED)
        protocol = make()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
    except BaseException:  # a cancelled one, too, leaves no connection behind
        transport.abort()
        raise
    if knock.rest:
        protocol.data_received(knock.rest)
    return protocol


class _Knock(asyncio.Protocol):
    """Asks for a tunnel. `answer` is done when there is one.

    rest: what came after the head of the answer, hopefully nothing. lost: the connection is.
    """

    def __init__(self, relay: Relay, service_id: str) -> None:
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.rest = b""
        self.lost = False
        self._question = (
            f"CONNECT {service_id} HTTP/1.1\r\nhost: {service_id}\r\n"
            f"proxy-authorization: Bearer {relay.token}\r\n\r\n"
        ).encode()
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._question)

    def data_received(self, data: bytes) -> None:
        if self.answer.done():
            self.rest += data
            return
        self._head += data
        head, end, self.rest = self._head.partition(_END)
        if len(head) > MAX_HEAD_BYTES:
            self.answer.set_exception(NoTunnel(_NO_HTTP))
        elif end:
            self._answered(head)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.answer.done():
            self.answer.set_exception(exc or NoTunnel(_CLOSED))

    def _answered(self, head: bytes) -> None:
        words = head.split(b"\r\n", 1)[0].split(b" ", 2)
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        if status == HTTPStatus.OK:
            self.answer.set_result(None)
        elif status == HTTPStatus.GATEWAY_TIMEOUT:
            self.answer.set_exception(TimeoutError())
        else:
            other = f"its node answers {status}" if status else _NO_HTTP
            self.answer.set_exception(NoTunnel(_REASONS.get(status, other)))
