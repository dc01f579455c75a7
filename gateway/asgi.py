"""The portable way in: the same exchanges behind plain ASGI, for tests and other servers."""

import asyncio
from collections.abc import AsyncIterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control.api.errors import GenieHiveError, RequestTimeout
from gateway.exchange import Exchange, too_large
from gateway.gateway import Gateway
from gateway.intake import Intake
from gateway.paths import INFERENCE
from gateway.request_head import RequestHead, body_length

HIGH_WATER_BYTES = 64 << 10


class AsgiDoor:
    """Serves inference itself and hands everything else to `inner`."""

    def __init__(self, gateway: Gateway, inner: ASGIApp) -> None:
        self._gateway = gateway
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = None
        if scope["type"] == "http" and scope["method"] == "POST":
            path: bytes = scope.get("raw_path") or scope["path"].encode()
            operation = INFERENCE.get(path)
        if operation is None:
            await self._inner(scope, receive, send)
            return
        # Servers add trailers to the same list later: they are no headers.
        headers = list(scope["headers"])
        # Behind an upgrade that is not made, the server could read the body as a request.
        answer = _Answer(last=any(name == b"upgrade" for name, _ in headers))
        exchange = Exchange(self._gateway, answer, RequestHead(operation, path, headers))
        answer.exchange = exchange
        leaving: asyncio.Task[None] | None = None
        try:
            exchange.admit(body_length(headers))
            content = await self._content(receive)
            if content is None:
                return
            leaving = asyncio.create_task(_until_left(receive, answer))
            exchange.run(content)
            await answer.carry(send)
        except GenieHiveError as error:
            exchange.refuse(error)
            await answer.carry(send)
        finally:
            exchange.cancel()
            if leaving is not None:
                leaving.cancel()

    async def _content(self, receive: Receive) -> bytes | None:
        """Return the body, or None when the client left before it was whole.

        Raises:
            GenieHiveError: it is too large, there is no memory for it, or it comes too slowly.
        """
        admission, seconds = self._gateway.admission, self._gateway.timeouts.request_body
        content = bytearray()
        try:
            async with asyncio.timeout(seconds):
                async for chunk in self._chunks(receive):
                    admission.check_memory(len(chunk))
                    admission.held += len(chunk)
                    content += chunk
                    if len(content) > self._gateway.limits.request_body:
                        raise too_large(self._gateway)
            return bytes(content)
        except _Left:
            return None
        except TimeoutError:
            raise RequestTimeout(f"no whole body came within {seconds:g} s") from None
        finally:
            admission.held -= len(content)

    async def _chunks(self, receive: Receive) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            RequestTimeout: it comes too slowly. _Left: the client did.
        """
        gateway = self._gateway
        intake = Intake(gateway.clock())
        intake.headed(gateway.clock())
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise _Left
            chunk = message.get("body", b"")
            intake.body(len(chunk))
            if (overdue := intake.overdue(gateway.clock(), gateway.timeouts)) is not None:
                raise overdue
            yield chunk
            more = message.get("more_body", False)


class _Left(Exception):
    """The client is not there any more."""


async def _until_left(receive: Receive, answer: "_Answer") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    answer.left()


class _Answer:
    """A `Downstream` that hands ASGI messages from callbacks to one sending task.

    last: the connection ends with this answer.
    """

    def __init__(self, *, last: bool) -> None:
        self.exchange: Exchange
        self._last = last
        self._carrying: asyncio.Task[None] | None = None
        self._messages: list[Message] = []
        self._bytes = 0
        self._paused = False
        self._over = False
        self._news = asyncio.Event()

    async def carry(self, send: Send) -> None:
        """Send what comes until the answer is over or the client has left."""
        self._carrying = asyncio.current_task()
        while True:
            await self._news.wait()
            self._news.clear()
            messages, self._messages = self._messages, []
            self._bytes = 0
            for message in messages:
                await send(message)
            if self._paused and self._bytes <= HIGH_WATER_BYTES:
                self._paused = False
                self.exchange.resume()
            if self._over and not self._messages:
                return

    def left(self) -> None:
        self.exchange.cancel()
        self._messages = []
        self._done()

    # A `Downstream`.

    def respond(self, status: int, head: bytes, content: bytes) -> None:
        self._start(status, head, [(b"content-length", str(len(content)).encode())])
        self.end(content)

    def start(self, status: int, head: bytes) -> None:
        self._start(status, head, [])

    def write(self, content: bytes) -> None:
        self._add({"type": "http.response.body", "body": content, "more_body": True})
        self._bytes += len(content)
        if self._bytes > HIGH_WATER_BYTES and not self._paused:
            self._paused = True
            self.exchange.pause()

    def end(self, content: bytes) -> None:
        self._add({"type": "http.response.body", "body": content, "more_body": False})
        self._done()

    def break_off(self, content: bytes) -> None:
        # ASGI cannot close a connection after a whole answer; its server keeps it.
        self.end(content)

    def cut(self) -> None:
        # All that ASGI offers: the server closes the connection of an app that fails, or that
        # ends before its answer does.
        if self._carrying is not None:
            self._carrying.cancel()
        self._messages = []
        self._done()

    def _start(self, status: int, head: bytes, more: list[tuple[bytes, bytes]]) -> None:
        lines = (line.partition(b": ") for line in head.split(b"\r\n") if line)
        headers = [(name, value) for name, _, value in lines]
        if self._last:
            headers.append((b"connection", b"close"))
        self._add({"type": "http.response.start", "status": status, "headers": headers + more})

    def _add(self, message: Message) -> None:
        self._messages.append(message)
        self._news.set()

    def _done(self) -> None:
        self._over = True
        self._news.set()
