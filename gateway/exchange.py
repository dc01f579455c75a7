"""The life of one inference request, between a client and the engines that may serve it.

Sans-I/O: a door hands the request in and takes the answer, an upstream carries
it; neither waits here. Everything that is local happens in the caller's turn.
"""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Protocol

from control.api.errors import (
    BodyTooLarge,
    GenieHiveError,
    UnsupportedMediaType,
    Upstream,
    UpstreamBadResponse,
    UpstreamTimeout,
)
from gateway import body, errors, keys
from gateway.balance import least_loaded
from gateway.gateway import Gateway
from gateway.reasoning import Unreadable, Usage, cleaned
from gateway.routes import Choice, Operation, load
from gateway.sse import Scanner
from gateway.upstream import Call, Unreachable
from gateway.verdict import ANSWERS, Course, judge

log = logging.getLogger(__name__)

MAX_ERROR_BYTES = 64 << 10

_CLIENT_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_STREAM_HEAD = (
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\nx-accel-buffering: no\r\n"
)
_JSON_HEAD = b"content-type: application/json\r\n"

NEVER = float("inf")

Headers = list[tuple[bytes, bytes]]


class Downstream(Protocol):
    """The client's side. `head`: header lines without those that frame the body."""

    def respond(self, status: int, head: bytes, content: bytes) -> None:
        """Send a whole answer."""

    def start(self, status: int, head: bytes) -> None:
        """Begin an answer of unknown length."""

    def write(self, content: bytes) -> None:
        """Go on with it."""

    def end(self, content: bytes) -> None:
        """End it with `content`, possibly nothing."""

    def break_off(self, content: bytes) -> None:
        """End it with `content`, and the connection with it: it is not what it should be."""

    def cut(self) -> None:
        """End the connection at once: the client does not read."""


class Exchange:
    """One request and its answer.

    The door calls `admit` with the head and `run` with the body, then `pause` and
    `resume` as the client reads, and `cancel` if the client leaves. The downstream
    is called in order, and never after `respond`, `end`, `break_off`, `cut` or `cancel`.
    """

    def __init__(
        self, gateway: Gateway, downstream: Downstream, operation: Operation, path: bytes
    ) -> None:
        self.deadline = NEVER  # seconds of the gateway's clock
        self.principal = keys.ANONYMOUS
        self.usage: Usage | None = None
        self._gateway = gateway
        self._downstream = downstream
        self._operation = operation
        self._path = path
        self._request_id = gateway.next_request_id()
        self._client_id: bytes | None = None
        self._began = self._sent = 0.0
        # Who was asked, and who is being asked now.
        self._tried: list[Choice] = []
        self._choice: Choice | None = None
        self._call: Call | None = None
        # The answer: a stream, or collected.
        self._status = 0
        self._scanner: Scanner | None = None
        self._answer: list[bytes] = []
        self._size = 0
        self._started = False
        self._paused = False
        self._over = False

    # What the door calls.

    def admit(self, headers: Headers) -> None:
        """Judge the head of the request. headers: names in lower case.

        Raises:
            GenieHiveError: the request is refused, whatever its body is.
        """
        found = dict(headers)
        client_id = found.get(b"x-request-id")
        if client_id is not None and _CLIENT_ID.fullmatch(client_id):
            self._client_id = client_id
        self.principal = self._gateway.keys.principal(keys.presented(headers))
        if found.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMediaType("encoded bodies are not accepted; send plain JSON")
        content_type = found.get(b"content-type", b"")
        if content_type != b"application/json" and not _is_json(content_type):
            raise UnsupportedMediaType("Content-Type must be application/json, in UTF-8")
        if int(found.get(b"content-length", 0)) > self._gateway.limits.request_body:
            raise too_large(self._gateway)

    def run(self, content: bytes) -> None:
        """Serve the admitted request; `content` is its whole body."""
        gateway = self._gateway
        gateway.active.add(self)
        self._began = self._sent = gateway.clock()
        self._guarded(self._begin, content)

    def refuse(self, error: GenieHiveError) -> None:
        """Answer with `error`, however far the answer is."""
        if self._over:
            return
        if isinstance(error, Upstream):
            log.warning("%s: %s", self._request_id.decode(), error)
        self._release()
        downstream = self._finish()
        if self._started:
            downstream.break_off(errors.event(error))
        else:
            head = errors.head(error) + self._head()
            downstream.respond(error.http, head, errors.body(error))

    def cancel(self) -> None:
        """Drop everything: the client has left."""
        if not self._over:
            self._release()
            self._finish()

    def pause(self) -> None:
        """Stop reading from the engine until `resume`: the client reads too slowly."""
        if self._call is not None:
            self._paused = True
            self._call.pause()
            self._wait(self._gateway.timeouts.idle)

    def resume(self) -> None:
        if self._paused and self._call is not None:
            self._paused = False
            self._call.resume()
            self._wait(self._gateway.timeouts.idle)

    def expire(self) -> None:
        """Give up: `deadline` is over."""
        if self._paused:
            log.info("%s: the client stopped reading", self._request_id.decode())
            self._release()
            self._finish().cut()
            return
        timeouts = self._gateway.timeouts
        waited, what = (
            (timeouts.idle, "idle") if self._status else (timeouts.first_byte, "first_byte")
        )
        name = self._choice.upstream.service_id if self._choice is not None else "no service"
        self.refuse(UpstreamTimeout(f"{name} sent nothing for {waited:g} s ({what})"))

    def _wait(self, seconds: float) -> None:
        self.deadline = self._gateway.clock() + seconds

    def _guarded(self, step: Callable[..., None], *arguments: object) -> None:
        """Take a step; whatever goes wrong is told to the client, who would wait otherwise."""
        try:
            step(*arguments)
        except GenieHiveError as error:
            self.refuse(error)
        except Exception:  # the edge of the gateway: a bug of ours is not the client's fault
            log.exception("%s: bug", self._request_id.decode())
            self.refuse(GenieHiveError("the gateway has a bug; the log has more"))

    # Choice.

    def _begin(self, content: bytes) -> None:
        gateway = self._gateway
        self._body = body.parse(content)
        self._route = gateway.routes.resolve(self._operation, self._body.model)
        self._attempt(least_loaded(self._route.equals, load, gateway.random))

    def _attempt(self, choice: Choice) -> None:
        upstream = choice.upstream
        self._tried.append(choice)
        self._choice = choice
        self._status = 0
        upstream.in_flight += 1
        gateway = self._gateway
        self._sent = gateway.clock()
        self.deadline = self._sent + gateway.timeouts.first_byte
        self._call = upstream.call(
            self,
            self._path,
            self._request_id,
            self._body.with_model(choice.asset),
        )

    def _elsewhere_or(self, error: GenieHiveError) -> None:
        """Ask the next candidate; when all were asked, answer with `error`."""
        self._release()
        tried = {choice.upstream.service_id for choice in self._tried}
        for choice in self._route.choices:
            if choice.upstream.service_id not in tried:
                self._attempt(choice)
                return
        self.refuse(error)

    # What the upstream calls.

    def upstream_head(self, status: int, headers: Mapping[bytes, bytes]) -> None:
        self._guarded(self._judge, status, headers)

    def upstream_data(self, data: bytes, *, done: bool) -> None:
        self._guarded(self._collect if self._scanner is None else self._relay, data, done)

    def upstream_failed(self, error: GenieHiveError) -> None:
        self._guarded(self._elsewhere_or if isinstance(error, Unreachable) else self.refuse, error)

    # Answers.

    def _judge(self, status: int, headers: Mapping[bytes, bytes]) -> None:
        assert self._choice is not None  # or the call would have been cancelled
        self._status = status
        verdict = judge(status, headers, self._choice.upstream.service_id)
        if verdict.course is Course.STREAM:
            self._scanner = Scanner(strip=self._gateway.strip)
            self._started = True
            self._downstream.start(status, _STREAM_HEAD + self._head())
        elif verdict.error is not None:
            if verdict.course is Course.ELSEWHERE:
                self._elsewhere_or(verdict.error)
            else:
                self.refuse(verdict.error)

    def _collect(self, data: bytes, done: bool) -> None:
        self._size += len(data)
        self._answer.append(data)
        limits = self._gateway.limits
        if self._size > (MAX_ERROR_BYTES if self._status in ANSWERS else limits.json_answer):
            self.refuse(UpstreamBadResponse("the answer is larger than this gateway accepts"))
        elif done:
            self._complete(b"".join(self._answer))
        else:
            self._wait(self._gateway.timeouts.idle)

    def _relay(self, data: bytes, done: bool) -> None:
        scanner = self._scanner
        assert scanner is not None
        passed = scanner.feed(data)
        if not done:
            self._wait(self._gateway.timeouts.idle)
            if passed:
                self._downstream.write(passed)
            return
        passed += scanner.finish()
        self.usage = scanner.usage
        self._release()
        self._finish().end(passed)

    def _complete(self, content: bytes) -> None:
        """Answer with `content`, the whole of what the engine said."""
        try:
            content, self.usage = cleaned(content, strip=self._gateway.strip)
        except Unreadable:
            self.refuse(UpstreamBadResponse("the engine's answer is not valid JSON"))
            return
        self._release()
        self._finish().respond(self._status, _JSON_HEAD + self._head(), content)

    def _head(self) -> bytes:
        """Return the header lines that tell how the request was served."""
        told = errors.request_id(self._request_id)
        if self._client_id is not None:
            told += b"x-client-request-id: " + self._client_id + b"\r\n"
        if not self._tried:
            return told
        overhead = (self._sent - self._began) * 1_000
        told += self._tried[-1].head
        return told + b"x-geniehive-attempts: %d\r\nx-geniehive-overhead-ms: %.2f\r\n" % (
            len(self._tried),
            overhead,
        )

    def _release(self) -> None:
        """Give back what the attempt holds; harmless when it holds nothing."""
        choice, self._choice = self._choice, None
        call, self._call = self._call, None
        if choice is not None:
            choice.upstream.in_flight -= 1
        if call is not None:
            call.cancel()

    def _finish(self) -> Downstream:
        """End the exchange; return the downstream for the last word."""
        self._over = True
        self.deadline = NEVER
        self._gateway.active.discard(self)
        downstream = self._downstream
        del self._downstream  # it refers back to us: without this only the collector frees both
        return downstream


def too_large(gateway: Gateway) -> BodyTooLarge:
    """Return what a client is told whose body is larger than `limits.request_body`."""
    return BodyTooLarge(f"the body is larger than {gateway.limits.request_body} bytes")


def _is_json(content_type: bytes) -> bool:
    kind, _, parameters = content_type.lower().partition(b";")
    charset = parameters.partition(b"charset=")[2].split(b";")[0].strip(b' "')
    return kind.strip() == b"application/json" and charset in (b"", b"utf-8", b"utf8")
