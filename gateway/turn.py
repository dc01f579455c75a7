"""One inference request on a client connection, and the writing of its answer."""

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from control.api.errors import GenieHiveError, InvalidBody
from gateway.exchange import Exchange, Headers, too_large
from gateway.routes import Operation

if TYPE_CHECKING:
    from gateway.door import Door

_CHUNKED = b"transfer-encoding: chunked\r\n"


class _Event:
    """What the parent sets and nobody waits for."""

    def set(self) -> None:
        pass


class Turn:
    """See the module. Also the `Downstream` of its exchange.

    Stands in for uvicorn's `RequestResponseCycle`, so that the parent's pipeline
    keeps both kinds in order: hence the public names it shares with it.
    """

    message_event = _Event()

    def __init__(self, door: "Door", operation: Operation, path: bytes, headers: Headers) -> None:
        parser = door.parser
        version = parser.get_http_version()
        self.upgrade = parser.should_upgrade()
        self.keep_alive = version != "1.0" and not self.upgrade and parser.should_keep_alive()
        self.exchange = Exchange(door.gateway, self, operation, path)
        self.complete = False  # the whole request is here
        self.disconnected = False
        self.response_complete = False
        self._begun = False
        self._refusal: GenieHiveError | None = None
        self._door = door
        self._headers = headers
        self._expects_continue = door.expect_100_continue
        self._limit = door.gateway.limits.request_body
        self._content: bytes | bytearray = b""
        self._framing = b"" if version == "1.0" else _CHUNKED

    # From the door.

    def begin(self) -> None:
        """Judge the head alone: who may not enter need not send a body."""
        try:
            self.exchange.admit(self._headers)
        except GenieHiveError as error:
            self._refuse(error)
            return
        self._invite()

    def collect(self, chunk: bytes) -> None:
        """Take a part of the body; after a refusal drop it."""
        if self._refusal is not None:
            return
        if not self._content:
            self._content = chunk
        else:
            if isinstance(self._content, bytes):
                self._content = bytearray(self._content)
            self._content += chunk
        if len(self._content) > self._limit:
            self._refuse(too_large(self._door.gateway))

    def collect_unparsed(self, data: bytes) -> None:
        """Take a part of the body that the parser left to another protocol."""
        if self.complete:
            return
        length = dict(self._headers).get(b"content-length")
        if length is None:
            self._refuse(InvalidBody("an upgrade is not offered here; send a Content-Length"))
            self.completed()
            return
        missing = int(length) - len(self._content)
        self.collect(data[:missing])
        if len(data) >= missing:
            self.completed()

    def completed(self) -> None:
        """Serve the request, if it is its turn."""
        self.complete = True
        if self.response_complete:
            self._door.close()  # it was refused before its end, which has come now
        else:
            self.proceed()

    def proceed(self) -> None:
        """Answer, when its turn has come, the client reads, and the request is whole."""
        door = self._door
        if self._begun or self.disconnected or not door.may_answer(self):
            return
        if self._refusal is not None:
            self._begun = True
            self.exchange.refuse(self._refusal)
        elif self.complete:
            self._begun = True
            content, self._content = bytes(self._content), b""
            self.exchange.run(content)
        else:
            self._invite()

    def abandon(self) -> None:
        self.disconnected = True
        self.exchange.cancel()

    def _invite(self) -> None:
        """Let the body come, if the client waits for that."""
        if self._expects_continue and self._door.may_answer(self):
            self._expects_continue = False
            self._door.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, error: GenieHiveError) -> None:
        self._refusal = error
        self._content = b""
        self.keep_alive = False
        self.proceed()

    # From the exchange: a `Downstream`.

    def respond(self, status: int, head: bytes, content: bytes) -> None:
        self._door.write_answer(status, head, content, keep_alive=self.keep_alive)
        self._over()

    def start(self, status: int, head: bytes) -> None:
        if not self._framing:
            self.keep_alive = False  # HTTP/1.0: the body ends with the connection
        own = self._door.own_head(self.keep_alive)
        self._door.write(b"".join((STATUS_LINE[status], head, own, self._framing, b"\r\n")))

    def write(self, content: bytes) -> None:
        self._door.write(self._framed(content))

    def end(self, content: bytes) -> None:
        last = self._framed(content) + (b"0\r\n\r\n" if self._framing else b"")
        if last:
            self._door.write(last)
        self._over()

    def break_off(self, content: bytes) -> None:
        self.keep_alive = False
        self.end(content)

    def cut(self) -> None:
        self._door.cut()

    def _framed(self, content: bytes) -> bytes:
        if not content or not self._framing:
            return content
        return b"%x\r\n%b\r\n" % (len(content), content)

    def _over(self) -> None:
        self.response_complete = True
        self._door.turn_over(self)
