"""One HTTP/1.1 connection to a service, in callbacks; carries one call at a time."""

import asyncio
import socket
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from control.api.errors import Upstream as UpstreamFault
from control.api.errors import UpstreamBadResponse, UpstreamError
from gateway.answer_head import AnswerHead, answer_memo

if TYPE_CHECKING:
    from gateway.upstream import Call, Upstream

MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 100
# What the system takes from an engine ahead of us, and so the most that one read brings: a
# client that reads slowly holds up so much. The loop would take four times that at once.
RECEIVED_BYTES = 48 << 10
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})

_memo = answer_memo()


class Receiver(Protocol):
    """Who gets the answer of one call. Nothing comes after `upstream_failed` or `done`."""

    def upstream_head(self, head: AnswerHead) -> None:
        """The head arrived."""

    def upstream_answer(self, head: AnswerHead, content: bytes) -> None:
        """All of it arrived at once: a JSON document."""

    def upstream_data(self, data: bytes, *, done: bool) -> None:
        """Part of the body arrived, none of it with the head alone; `done` tells its end.

        Once for each segment read that holds some of it: what only frames it is no news.
        """

    def upstream_failed(self, error: UpstreamFault) -> None:
        """The answer will not arrive, or not wholly."""


class Connection(asyncio.Protocol):
    """The wire of one call after the other. `closing`: it must not be kept any more."""

    def __init__(self, upstream: "Upstream", generation: int) -> None:
        self.idle_since = 0.0
        self.closing = False
        self._upstream = upstream
        self._generation = generation
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport
        self._call: Call | None = None
        self._used = False
        self._paused = False
        self._expect_answer()

    def _expect_answer(self) -> None:
        """Know nothing of the next answer, whatever the parser found in the last one."""
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []
        self._before_head = 0  # bytes read until the head was complete
        self._silent_bytes = 0  # bytes read since there was some of the body
        self._headed = False  # the receiver has the head
        self._framed = False  # the head tells where the body ends
        self._done = False
        self._keep = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        peer = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)

    def send(self, call: "Call") -> None:
        self._call = call
        call.connection = self
        self._transport.write(call.request)

    @property
    def unsent(self) -> int:
        """How many bytes were not sent, though they may have been answered already."""
        return self._transport.get_write_buffer_size()

    def close(self) -> None:
        self.closing = True
        if self.unsent:
            self._transport.abort()  # who does not read would keep it open
        else:
            self._transport.close()

    def abort(self) -> None:
        self.closing = True
        self._call = None
        self._transport.abort()

    def pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        call = self._call
        if call is None or call.receiver is None:
            # Nobody asked: whatever this is, it is not the answer to the next question.
            self.abort()
            return
        if not self._before_head:
            known = _memo.recall(data)
            if known is not None and known[1] == len(known[2]):
                self._whole(call, call.receiver, known[0], known[2])
                return
        if not self._headed:
            self._before_head += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._done:
                self._fail(call, _fault(error))
                return
            self.closing = True  # the answer is whole; what follows it was not asked for
        silent = self._headed and not self._chunks
        self._silent_bytes = self._silent_bytes + len(data) if silent else 0
        if self._silent_bytes > MAX_HEAD_BYTES:
            self._fail(call, "more trailers than an answer may have")
        elif self._status:
            if self._done and self._before_head == len(data):
                _memo.learn(data)
            self._pass_on(call, call.receiver)
        elif self._before_head > MAX_HEAD_BYTES:
            self._fail(call, "more than a head may hold")

    def _whole(self, call: "Call", receiver: Receiver, head: AnswerHead, body: bytes) -> None:
        """Pass on an answer that came whole, under a head like one before: the parser rests."""
        call.connection = call.receiver = self._call = None
        self._used = True
        if self._paused:
            self.resume()
        self._upstream.keep(self, self._generation)
        receiver.upstream_answer(head, body)

    def _pass_on(self, call: "Call", receiver: Receiver) -> None:
        news = bool(self._chunks) or not self._headed
        if not self._headed:
            self._headed = True
            receiver.upstream_head(AnswerHead(self._status, self._headers, framed=self._framed))
            if call.receiver is None:  # it has seen enough
                return
        chunks, self._chunks = self._chunks, []
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if not self._done:
            if news:
                receiver.upstream_data(data, done=False)
            return
        # First give the connection back: the receiver may ask again at once.
        self._call = None
        call.connection = None
        call.receiver = None
        if self._keep and not self.closing:
            self.resume()
            self._expect_answer()
            self._used = True
            self._upstream.keep(self, self._generation)
        else:
            self.close()
        receiver.upstream_data(data, done=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        del self._parser  # it refers back to us: only the collector would free both
        call, self._call = self._call, None
        if call is None:
            self._upstream.forget(self)
            return
        service = self._upstream.service_id
        if self._headed and not self._framed and exc is None and call.receiver is not None:
            # RFC 9112, 6.3: without a length the body ends with the connection.
            receiver, call.receiver, call.connection = call.receiver, None, None
            receiver.upstream_data(b"", done=True)
        elif self._before_head:
            call.fail(_lost(f"{service} closed the connection within its answer"))
        elif self._used:
            call.retry_or_fail(_lost(f"{service} closed the connection unanswered"))
        else:
            call.fail(_lost(f"{service} closed the connection unanswered"))

    def _fail(self, call: "Call", what: str) -> None:
        self.abort()
        call.fail(UpstreamBadResponse(f"{self._upstream.service_id} answered {what}"))

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._done:
            raise ValueError("more than it was asked")

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._headers) >= MAX_HEADERS:
            raise ValueError("more headers than a head may hold")
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = {}  # interim: the answer is still to come
            return
        self._status = status
        self._framed = not _FRAMING.isdisjoint(self._headers) or status in (204, 304)
        self._keep = self._parser.should_keep_alive()  # it does not know at the end any more

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        self._done = self._status > 0


def _lost(message: str) -> UpstreamError:
    error = UpstreamError(message)
    error.counted = "lost connection", "lost connections"
    return error


def _fault(error: Exception) -> str:
    cause = error.__context__ or error.__cause__
    return str(cause) if isinstance(cause, ValueError) else "what is not HTTP"
