"""One inference request on a client connection, and the writing of its answer."""

from typing import TYPE_CHECKING

from control.api.errors import Busy, GenieHiveError, InvalidBody, Unavailable
from gateway.exchange import Exchange, too_large
from gateway.request_head import RequestHead

if TYPE_CHECKING:
    from gateway.door import Door

# A client that may come again soon keeps its connection, if so much of its body has to be read.
SMALL_BODY = 64 << 10
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

    __slots__ = (
        "_begun",
        "_content",
        "_door",
        "_expects_continue",
        "_framing",
        "_length",
        "_refusal",
        "_wire",
        "complete",
        "disconnected",
        "exchange",
        "keep_alive",
        "response_complete",
        "upgrade",
    )

    def __init__(
        self,
        door: "Door",
        head: RequestHead,
        length: int | None,
        *,
        keep_alive: bool = True,
        upgrade: bool = False,
        expects_continue: bool = False,
        chunks: bool = True,
    ) -> None:
        """length: of the body, None when not told. chunks: whether the client knows them."""
        self.exchange = Exchange(door.gateway, self, head)
        self.keep_alive = keep_alive
        self.upgrade = upgrade
        self.complete = False  # the whole request is here
        self.disconnected = False
        self.response_complete = False
        self._begun = False
        self._refusal: GenieHiveError | None = None
        self._door = door
        self._wire = door.wire
        self._length = length
        self._expects_continue = expects_continue
        self._content: bytes | bytearray = b""
        self._framing = _CHUNKED if chunks else b""

    # From the door.

    def begin(self) -> None:
        """Judge the head alone: who may not enter need not send a body."""
        try:
            self.exchange.admit(self._length)
        except GenieHiveError as error:
            self._refuse(error)
            return
        self._invite()

    def serve(self, content: bytes) -> None:
        """Do all of it: the request is whole, and it is its turn."""
        self.complete = True
        try:
            self.exchange.admit(self._length)
        except GenieHiveError as error:
            self._refuse(error)
            return
        self._begun = True
        self.exchange.run(content)

    def collect(self, chunk: bytes) -> None:
        """Take a part of the body; after a refusal drop it."""
        if self._refusal is not None:
            return
        admission = self._door.gateway.admission
        try:
            admission.check_memory(len(chunk))
        except GenieHiveError as error:
            self._refuse(error)
            return
        admission.held += len(chunk)
        if not self._content:
            self._content = chunk
        else:
            if isinstance(self._content, bytes):
                self._content = bytearray(self._content)
            self._content += chunk
        if len(self._content) > self._door.gateway.limits.request_body:
            self._refuse(too_large(self._door.gateway))

    def collect_unparsed(self, data: bytes) -> None:
        """Take a part of the body that the parser left to another protocol."""
        if self.complete:
            return
        if self._length is None:
            self._refuse(InvalidBody("an upgrade is not offered here; send a Content-Length"))
            self.completed()
            return
        missing = self._length - len(self._content)
        self.collect(data[:missing])
        if len(data) >= missing:
            self.completed()

    def completed(self) -> None:
        """Serve the request, if it is its turn."""
        self.complete = True
        if self.response_complete:
            self._wire.close()  # it was refused before its end, which has come now
        else:
            self.proceed()

    def proceed(self) -> None:
        """Answer, when its turn has come, the client reads, and the request is whole."""
        door = self._door
        if self._begun or self.disconnected or not door.may_answer(self):
            return
        if self._refusal is not None:
            if self.keep_alive and not self.complete:
                return  # what is missing is read first
            self._begun = True
            self.exchange.refuse(self._refusal)
        elif self.complete:
            self._begun = True
            self.exchange.run(self._taken())
        else:
            self._invite()

    def give_up(self, error: GenieHiveError) -> None:
        """Refuse a request that does not come as a whole."""
        self._refuse(error)
        self._wire.close()

    def abandon(self) -> None:
        self.disconnected = True
        self._taken()
        self.exchange.cancel()

    def _invite(self) -> None:
        """Let the body come, if the client waits for that."""
        if self._expects_continue and self._door.may_answer(self):
            self._expects_continue = False
            self._wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, error: GenieHiveError) -> None:
        self._refusal = error.with_traceback(None)  # or it would keep us in a circle
        self._taken()
        small = self.complete or (self._length is not None and self._length <= SMALL_BODY)
        if not isinstance(error, Busy | Unavailable) or not small or self._expects_continue:
            self.keep_alive = False
        self.proceed()

    def _taken(self) -> bytes:
        """Return what was collected, which the turn holds no more."""
        content, self._content = bytes(self._content), b""
        self._door.gateway.admission.held -= len(content)
        return content

    # From the exchange: a `Downstream`.

    def respond(self, status: int, head: bytes, content: bytes) -> None:
        self._wire.write_answer(status, head, content, keep_alive=self.keep_alive)
        self._over()

    def start(self, status: int, head: bytes) -> None:
        if not self._framing:
            self.keep_alive = False  # HTTP/1.0: the body ends with the connection
        self._wire.write_head(status, head, self._framing, keep_alive=self.keep_alive)

    def write(self, content: bytes) -> None:
        self._wire.write(self._framed(content))

    def end(self, content: bytes) -> None:
        last = self._framed(content) + (b"0\r\n\r\n" if self._framing else b"")
        if last:
            self._wire.write(last)
        self._over()

    def break_off(self, content: bytes) -> None:
        self.keep_alive = False
        self.end(content)

    def cut(self) -> None:
        self._wire.cut()

    def _framed(self, content: bytes) -> bytes:
        if not content or not self._framing:
            return content
        return b"%x\r\n%b\r\n" % (len(content), content)

    def _over(self) -> None:
        self.response_complete = True
        self._door.turn_over(self)
