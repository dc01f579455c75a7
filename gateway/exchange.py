"""The life of one inference request, between a client and the engines that may serve it.

Sans-I/O: a door hands the request in and takes the answer, an upstream carries
it; neither waits here. Everything that is local happens in the caller's turn.
"""

import logging
from collections.abc import Sequence

import msgspec

from control.api.errors import (
    BodyTooLarge,
    GenieHiveError,
    UpstreamBadResponse,
    UpstreamTimeout,
)
from control.api.errors import Upstream as UpstreamFault
from gateway import body, errors
from gateway.answer_head import AnswerHead
from gateway.balance import take
from gateway.downstream import Downstream
from gateway.gateway import Gateway
from gateway.meter import Tally
from gateway.reasoning import Unreadable, Usage, cleaned
from gateway.request_head import RequestHead
from gateway.route import Choice, Route
from gateway.sse import Scanner
from gateway.trace_context import lines
from gateway.upstream import Call, Unreachable
from gateway.verdict import Course, error_in, judge
from gateway.witness import Witness

log = logging.getLogger(__name__)

MAX_ERROR_BYTES = 64 << 10

_STREAM_HEAD = (
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\nx-accel-buffering: no\r\n"
)
_JSON_HEAD = b"content-type: application/json\r\n"

END_S = 1.0  # what a connection may take to end after the stream has
NEVER = float("inf")


class Exchange:
    """One request and its answer.

    The door calls `admit` with the head and `run` with the body, then `pause` and
    `resume` as the client reads, and `cancel` if the client leaves. From `run` on
    `expire` is due at `deadline`, seconds of the gateway's clock. The downstream
    is called in order, and never after `respond`, `end`, `break_off`, `cut` or `cancel`.
    """

    __slots__ = (
        "_answer",
        "_began",
        "_body",
        "_call",
        "_choice",
        "_downstream",
        "_first",
        "_gateway",
        "_head",
        "_last",
        "_over",
        "_paused",
        "_request_id",
        "_scanner",
        "_sent",
        "_size",
        "_started",
        "_status",
        "_tried",
        "_witnesses",
        "deadline",
    )

    def __init__(self, gateway: Gateway, downstream: Downstream, head: RequestHead) -> None:
        self._gateway = gateway
        self._downstream = downstream
        self._head = head
        self._request_id = gateway.next_request_id()
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
        self._witnesses: Sequence[Witness] = ()
        if gateway.witnesses:
            self._witnesses = [begin(head, self._request_id) for begin in gateway.witnesses]

    # What the door calls.

    def admit(self, length: int | None) -> None:
        """Judge the head of the request. length: of the body, None when it is not told.

        Raises:
            GenieHiveError: the request is refused, whatever its body is.
        """
        gateway = self._gateway
        self._head.principal(gateway.keys)
        if length is not None and length > gateway.limits.request_body:
            raise too_large(gateway)

    def run(self, content: bytes) -> None:
        """Serve the admitted request; `content` is its whole body."""
        gateway = self._gateway
        gateway.active.add(self)
        self._began = self._sent = gateway.clock()
        self._last = self._began + gateway.timeouts.total  # no deadline is later
        try:
            self._body = body.parse(content)
            for witness in self._witnesses:
                witness.named(self._body.model)
            route = gateway.routes.resolve(self._head.operation, self._body.model)
            self._attempt(route, take(route, gateway.random))
        except Exception as error:  # noqa: BLE001  # see `_went_wrong`
            self._went_wrong(error)

    def refuse(self, error: GenieHiveError) -> None:
        """Answer with `error`, however far the answer is."""
        if self._over:
            return
        scanner = self._scanner
        failed = scanner is not None and scanner.failed is not None
        if scanner is not None and scanner.ended and not failed:
            self._end(scanner, b"")  # whatever went wrong came after the answer
            return
        if isinstance(error, UpstreamFault):
            name = self._request_id.decode()
            log.warning("%s: %s", name, error, extra={"request_id": name})
        self._gateway.refused[error.code] += 1
        if self._choice is not None:
            self._failed(error)
        for witness in self._witnesses:
            witness.over(self._status if self._started else error.http, None, error)
        self._release()
        downstream = self._finish()
        if self._started:
            downstream.break_off(b"" if failed else errors.event(error))
        else:
            downstream.respond(error.http, self._told(errors.head(error)), errors.body(error))

    def cancel(self) -> None:
        """Drop everything: the client has left."""
        if not self._over:
            self._left()

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
            name = self._request_id.decode()
            log.info("%s: the client stopped reading", name, extra={"request_id": name})
            self._left().cut()
            return
        timeouts = self._gateway.timeouts
        name = self._choice.upstream.service_id if self._choice is not None else "no service"
        if self.deadline == self._last:
            self.refuse(UpstreamTimeout(f"{name} was not done after {timeouts.total:g} s (total)"))
            return
        waited, what = (
            (timeouts.idle, "idle") if self._status else (timeouts.first_byte, "first_byte")
        )
        self.refuse(UpstreamTimeout(f"{name} sent nothing for {waited:g} s ({what})"))

    def _wait(self, seconds: float) -> None:
        self.deadline = min(self._gateway.clock() + seconds, self._last)

    def _went_wrong(self, error: Exception) -> None:
        """Tell the client, who would wait otherwise; a bug of ours is not the client's fault."""
        if not isinstance(error, GenieHiveError):
            name = self._request_id.decode()
            log.error("%s: bug", name, exc_info=error, extra={"request_id": name})
            error = GenieHiveError("the gateway has a bug; the log has more")
        self.refuse(error)

    # Choice.

    def _attempt(self, route: Route, choice: Choice) -> None:
        """Ask the service of `choice`, one of `route`, where the request is counted already."""
        gateway = self._gateway
        upstream = choice.upstream
        self._choice = choice
        try:
            content = choice.shaped(self._body)
        except GenieHiveError:
            self._release()  # the service was not asked, and is not to blame
            raise
        self._tried.append(choice)
        route.asked(choice)
        self._status = 0
        self._first = NEVER  # when the answer's first byte came
        self._sent = gateway.clock()
        self.deadline = min(self._sent + gateway.timeouts.first_byte, self._last)
        self._call = upstream.call(
            self,
            self._head.path,
            self._request_id,
            content,
            self._sent,
            self._lines(choice),
        )

    def _elsewhere_or(self, error: GenieHiveError) -> None:
        """Ask the next candidate; when all were asked, answer with `error`."""
        self._failed(error)
        self._release()
        gateway = self._gateway
        tried = {choice.upstream.service_id for choice in self._tried}
        for route in gateway.routes.succession(self._head.operation, self._body.model):
            left = route.without(tried)
            if left.choices:
                self._attempt(route, take(left, gateway.random))
                return
        self.refuse(error)

    # What the upstream calls.

    def upstream_head(self, head: AnswerHead) -> None:
        try:
            self._judge(head)
        except Exception as error:  # noqa: BLE001  # see `_went_wrong`
            self._went_wrong(error)

    def upstream_answer(self, head: AnswerHead, content: bytes) -> None:
        self._call = None
        self._status = head.status
        try:
            self._collect(content, True)
        except Exception as error:  # noqa: BLE001  # see `_went_wrong`
            self._went_wrong(error)

    def upstream_data(self, data: bytes, *, done: bool) -> None:
        try:
            if self._scanner is not None:
                self._relay(self._scanner, data, done)
            else:
                self._collect(data, done)
        except Exception as error:  # noqa: BLE001  # see `_went_wrong`
            self._went_wrong(error)

    def upstream_failed(self, error: GenieHiveError) -> None:
        try:
            if isinstance(error, Unreachable):
                self._elsewhere_or(error)
            else:
                self.refuse(error)
        except Exception as bug:  # noqa: BLE001  # see `_went_wrong`
            self._went_wrong(bug)

    # Answers.

    def _judge(self, head: AnswerHead) -> None:
        assert self._choice is not None  # or the call would have been cancelled
        self._status = head.status
        verdict = head.verdict or judge(head.status, head.headers, self._choice.upstream.service_id)
        if verdict.course is Course.STREAM:
            self._scanner = Scanner(strip=self._strips(self._choice), framed=head.framed)
            self._started = True
            self._downstream.start(head.status, self._told(_STREAM_HEAD))
        elif verdict.error is not None:
            if verdict.course is Course.ELSEWHERE:
                self._elsewhere_or(verdict.error)
            else:
                self.refuse(verdict.error)

    def _collect(self, data: bytes, done: bool) -> None:
        self._size += len(data)
        limit = self._gateway.limits.json_answer if self._status == 200 else MAX_ERROR_BYTES
        if self._size > limit:
            self.refuse(UpstreamBadResponse("the answer is larger than this gateway accepts"))
        elif done:
            self._complete(b"".join((*self._answer, data)) if self._answer else data)
        else:
            self._answer.append(data)
            self._wait(self._gateway.timeouts.idle)

    def _relay(self, scanner: Scanner, data: bytes, done: bool) -> None:
        now = self._gateway.clock()
        if self._first == NEVER and (data or done):  # the head alone may come long before
            self._first = now
            for witness in self._witnesses:
                witness.first_byte()
        passed = scanner.feed(data)
        if done:
            self._end(scanner, passed + scanner.finish())
            return
        if not scanner.ended:
            self.deadline = min(now + self._gateway.timeouts.idle, self._last)
        elif passed:
            self.deadline = min(now + END_S, self._last)
        if passed:
            self._downstream.write(passed)

    def _end(self, scanner: Scanner, passed: bytes) -> None:
        """End the stream, `passed` being the last of it."""
        if (failed := scanner.failed) is not None:
            if passed:
                self._downstream.write(passed)
            self.refuse(failed)
            return
        took = self._gateway.clock() - self._sent
        self._answered(self._first - self._sent, took, scanner.usage, streamed=True)
        self._finish().end(passed)

    def _complete(self, content: bytes) -> None:
        """Answer with `content`, the whole of what the engine said."""
        assert self._choice is not None
        if self._status == 200 and (failed := error_in(content, self._choice.upstream.service_id)):
            self.refuse(failed)
            return
        try:
            content, usage = cleaned(content, strip=self._strips(self._choice))
        except Unreadable as error:
            self.refuse(UpstreamBadResponse(f"the engine's answer cannot be read: {error}"))
            return
        took = self._gateway.clock() - self._sent
        self._answered(took, took, usage, streamed=False)
        self._finish().respond(self._status, self._told(_JSON_HEAD), content)

    def _strips(self, choice: Choice) -> bool:
        """Return whether hidden reasoning is removed from the answer of `choice`."""
        return self._head.may_hide and choice.strips(default=self._gateway.strip)

    def _lines(self, choice: Choice) -> bytes:
        """Return the header lines that tell a service what it works for; maybe none."""
        context = self._head.trace_context
        if not self._witnesses:
            return lines(context) if context else b""
        told = [witness.attempt(choice.upstream, choice.asset) for witness in self._witnesses]
        return b"".join(told) or lines(context)

    # How an attempt ends.

    def _answered(
        self, first_s: float, whole_s: float, usage: Usage | None, *, streamed: bool
    ) -> None:
        self._tally().answered(first_s, whole_s, usage, streamed=streamed)
        for witness in self._witnesses:
            witness.over(self._status, usage, None)
        self._release()

    def _failed(self, error: GenieHiveError) -> None:
        self._tally().failed(error.code)
        for witness in self._witnesses:
            witness.failed(error)

    def _left(self) -> Downstream:
        """Drop everything: nobody waits for it any more."""
        if self._choice is not None:
            self._tally().left()
        for witness in self._witnesses:
            witness.left(self._status if self._started else 0)
        self._release()
        return self._finish()

    def _tally(self) -> Tally:
        """Return where the attempt under way is counted."""
        assert self._choice is not None
        upstream, asset = self._choice.upstream, self._choice.asset
        tally = upstream.tallies.get(asset)
        if tally is None:
            tally = self._gateway.meter.tally(upstream.service_id, msgspec.json.decode(asset))
            upstream.tallies[asset] = tally
        return tally

    def _told(self, head: bytes) -> bytes:
        """Return `head` with the lines that tell how the request was served."""
        if self._head.client_id is not None:
            head += b"x-client-request-id: " + self._head.client_id + b"\r\n"
        tried = self._tried
        if not tried:
            return b"%bx-request-id: %b\r\n" % (head, self._request_id)
        return (
            b"%bx-request-id: %b\r\n%bx-geniehive-attempts: %d\r\nx-geniehive-overhead-ms: %.2f\r\n"
        ) % (
            head,
            self._request_id,
            tried[-1].head,
            len(tried),
            (self._sent - self._began) * 1_000,
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
