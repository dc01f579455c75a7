"""The life of one inference request, between a client and the engines that may serve it.

Sans-I/O: a door hands the request in and takes the answer, an upstream carries
it; neither waits here. Everything that is local happens in the caller's turn.
"""

import logging

from control.api.errors import (
    BodyTooLarge,
    GenieHiveError,
    UpstreamBadResponse,
    UpstreamError,
    UpstreamTimeout,
)
from control.api.errors import Upstream as UpstreamFault
from gateway import body, errors
from gateway.answer_head import AnswerHead
from gateway.attempts import NEVER, Attempts
from gateway.downstream import Downstream
from gateway.gateway import Gateway
from gateway.reasoning import Unreadable, Usage, cleaned
from gateway.record import Record
from gateway.request_head import RequestHead
from gateway.resources import WORDS
from gateway.route import Choice
from gateway.sse import Scanner, first_error, only_comments
from gateway.totals import ANSWERED, LEFT
from gateway.verdict import Course, error_in, judge

log = logging.getLogger(__name__)

MAX_ERROR_BYTES = 64 << 10
SMALL = 64 << 10  # bytes of a body that always fit
MAX_MODEL = 200  # characters of what a client calls a model
END_S = 1.0  # what a connection may take to end after the stream has
PING = b": ping\n\n"

_STREAM_HEAD = (
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\nx-accel-buffering: no\r\n"
)
_JSON_HEAD = b"content-type: application/json\r\n"


class Exchange(Attempts):
    """One request and its answer.

    The door calls `admit` with the head and `run` with the body, then `pause` and
    `resume` as the client reads, and `cancel` if the client leaves. From `run` on
    `expire` is due at `deadline`, seconds of the gateway's clock. The downstream
    is called in order, and never after `respond`, `end`, `break_off`, `cut` or `cancel`.
    """

    __slots__ = (
        "_answer",
        "_downstream",
        "_ended",
        "_error",
        "_gone",
        "_headed",
        "_held",
        "_over",
        "_paused",
        "_principal",
        "_scanner",
        "_size",
        "_started",
        "_usage",
    )

    def __init__(self, gateway: Gateway, downstream: Downstream, head: RequestHead) -> None:
        super().__init__(gateway, head)
        self._downstream = downstream
        self._principal: str | None = None  # once it has entered
        # The answer: a stream, or collected.
        self._scanner: Scanner | None = None
        self._answer: list[bytes] = []
        self._size = 0
        self._held = 0  # bytes that count against the gateway's memory
        self._headed = False  # the client has the head of a stream
        self._started = False  # and something of what the engine said
        self._paused = False
        self._over = False
        # How it ended, for who asks later.
        self._gone = False
        self._error: GenieHiveError | None = None
        self._usage: Usage | None = None
        self._ended = 0.0

    # What the door calls.

    def admit(self, length: int | None) -> None:
        """Judge the head of the request. length: of the body, None when it is not told.

        Raises:
            GenieHiveError: the request is refused, whatever its body is.
        """
        gateway = self._gateway
        principal = self._head.principal(gateway.keys)
        gateway.admission.enter(principal)
        self._principal = principal
        if length is not None:
            if length > gateway.limits.request_body:
                raise too_large(gateway)
            if length > SMALL:
                gateway.admission.check_memory(length)

    def run(self, content: bytes) -> None:
        """Serve the admitted request; `content` is its whole body."""
        gateway, head = self._gateway, self._head
        gateway.active.add(self)
        self._hold(len(content))
        self._began = self._sent = began = gateway.clock()
        seconds, longest = head.seconds, gateway.longest[head.operation]
        self._last = began + (longest if seconds is None or seconds > longest else seconds)
        try:
            parsed = body.parse(content)
            if parsed.stream and (pause := gateway.timeouts.ping):
                self._ping_at = began + pause
            self._begin(parsed)
        except Exception as error:  # noqa: BLE001  # see `_went_wrong`
            self._went_wrong(error)

    def refuse(self, error: GenieHiveError) -> None:
        """Answer with `error`, however far the answer is."""
        if self._over:
            return
        scanner = self._scanner if self._started else None
        if scanner is not None and scanner.ended:  # what went wrong came after the answer
            self._end_stream(scanner, b"", self._gateway.clock())
            return
        if isinstance(error, UpstreamFault):
            name = self._request_id.decode()
            log.warning("%s: %s", name, error, extra={"request_id": name})
        self._gateway.refused[error.code] += 1
        if self._choice is not None:
            self._blame(error)
        self._end(error)
        downstream = self._finish()
        if self._headed:
            told = scanner is not None and scanner.failed  # by the engine itself
            downstream.break_off(b"" if told else errors.event(error))
        else:
            downstream.respond(error.http, self._told(errors.head(error)), errors.body(error))

    def _end(self, error: GenieHiveError) -> None:
        """Take note that the request ends with `error`."""
        self._error = error
        for witness in self._witnesses:
            witness.over(200 if self._headed else error.http, self._usage, error)
        self._release()

    def cancel(self) -> None:
        """Drop everything: the client has left."""
        if self._over:
            return
        scanner = self._scanner
        if scanner is not None and scanner.ended:  # as clients do that have their answer
            self._count_stream(scanner, self._gateway.clock())
            self._finish()
        else:
            self._left()

    def pause(self) -> None:
        """Stop reading from the engine until `resume`: the client reads too slowly."""
        if self._call is not None:
            self._paused = True
            self._call.pause()
            self._wait(self._gateway.clock(), self._waits.idle)

    def resume(self) -> None:
        if self._paused and self._call is not None:
            self._paused = False
            self._call.resume()
            self._wait(self._gateway.clock(), self._waits.idle)

    def expire(self) -> None:
        """Do what is due at `deadline`: let the client know that it is waited, or give up."""
        now = self._gateway.clock()
        if self._paused:
            name = self._request_id.decode()
            log.info("%s: the client stopped reading", name, extra={"request_id": name})
            self._left().cut()
        elif now < self._due:
            self._ping(now)
        elif now >= self._last:
            self._doubt(now)
            self.refuse(self._too_late())
        else:
            self._fail(self._timeout())

    def _ping(self, now: float) -> None:
        """Say something that is no answer, so that nobody in between gives up."""
        self._comment(PING)
        self._ping_at = now + self._gateway.timeouts.ping
        self.deadline = min(self._due, self._ping_at)

    def _comment(self, comment: bytes) -> None:
        """Send what is no part of an answer: another service may still give that."""
        if not self._headed:
            self._headed = True
            self._downstream.start(200, self._told(_STREAM_HEAD, served=False))
        self._downstream.write(comment)

    def _timeout(self) -> UpstreamTimeout:
        """Return why the service is given up now."""
        assert self._choice is not None
        name, waits = self._choice.upstream.service_id, self._waits
        if self._due >= self._until:
            return UpstreamTimeout(f"{name} was not done after {waits.total:g} s (total)")
        if not self._status:
            seconds, what = waits.first_byte, "first_byte"
        elif self._scanner is not None and not self._started:
            seconds, what = waits.first_event, "first_event"
        else:
            seconds, what = waits.idle, "idle"
        return UpstreamTimeout(f"{name} sent nothing for {seconds:g} s ({what})")

    def _fail(self, error: GenieHiveError, *, lost: bool = False, works: bool = False) -> None:
        """Ask another service, if the client has nothing of the answer yet; else tell it.

        lost: with the connection. works: the service does, if not for this request.
        """
        try:
            if self._started:
                if self._scanner is None or not self._scanner.ended:
                    self._failed(error)
                    self._release()
                self.refuse(error)
                return
            self._scanner = None
            self._answer, self._size = [], 0
            self._ask_another(error, lost=lost, works=works)
        except Exception as final:  # noqa: BLE001  # see `_went_wrong`
            self._went_wrong(final)

    def _went_wrong(self, error: Exception) -> None:
        """Tell the client, who would wait otherwise; a bug of ours is not the client's fault."""
        if not isinstance(error, GenieHiveError):
            name = self._request_id.decode()
            log.error("%s: bug", name, exc_info=error, extra={"request_id": name})
            error = GenieHiveError("the gateway has a bug; the log has more")
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
        # Only a request that was sent can have brought down who got it.
        self._fail(error, lost=type(error) is UpstreamError)

    # Answers.

    def _judge(self, head: AnswerHead) -> None:
        assert self._choice is not None  # or the call would have been cancelled
        self._status = head.status
        verdict = head.verdict or judge(head.status, head.headers, self._choice.upstream.service_id)
        if verdict.course is Course.STREAM:
            self._scanner = Scanner(strip=self._strips(self._choice), framed=head.framed)
            self._wait(self._gateway.clock(), self._waits.first_event)
        elif verdict.error is None:
            self._wait(self._gateway.clock(), self._waits.idle)
        elif verdict.course is Course.ELSEWHERE:
            self._fail(verdict.error)
        else:
            self._works(self._gateway.clock())
            self.refuse(verdict.error)

    def _collect(self, data: bytes, done: bool) -> None:
        self._size += len(data)
        limit = self._gateway.limits.json_answer if self._status == 200 else MAX_ERROR_BYTES
        if self._size > limit:
            self._works(self._gateway.clock())
            self.refuse(UpstreamBadResponse("the answer is larger than this gateway accepts"))
        elif done:
            self._complete(b"".join((*self._answer, data)) if self._answer else data)
        else:
            self._gateway.admission.check_memory(len(data))
            self._hold(len(data))
            self._answer.append(data)
            self._wait(self._gateway.clock(), self._waits.idle)

    def _relay(self, scanner: Scanner, data: bytes, done: bool) -> None:
        now = self._gateway.clock()
        if self._first == NEVER and (data or done):  # the head alone may come long before
            self._first = now
            for witness in self._witnesses:
                witness.first_byte()
        try:
            passed = scanner.feed(data)
            if done:
                self._end_stream(scanner, passed, now)
                return
        except UpstreamFault as error:
            self._fail(error)
            return
        if not self._started and not (passed and self._start(passed)):
            return
        if scanner.ended and not passed:  # what comes now is nobody's, and keeps nobody waiting
            return
        due = now + (END_S if scanner.ended else self._waits.idle)
        self._due = self.deadline = due if due < self._until else self._until
        if passed:
            self._downstream.write(passed)

    def _start(self, events: bytes) -> bool:
        """Begin the client's answer, unless it would begin with an error; return whether it did."""
        assert self._choice is not None
        if only_comments(events):
            self._comment(events)
            return False
        if failed := first_error(events, self._choice.upstream.service_id):
            self._fail(failed)
            return False
        self._started = True
        self._ping_at = NEVER
        breaker = self._choice.upstream.breaker
        if breaker.attentive:
            breaker.begins(self._epoch, self._gateway.clock())
        if self._retrying:
            self._end_retry()
        if not self._headed:
            self._headed = True
            self._downstream.start(200, self._told(_STREAM_HEAD))
        return True

    def _end_stream(self, scanner: Scanner, passed: bytes, now: float) -> None:
        """End the client's answer with `passed` and what the scanner still holds.

        Raises:
            UpstreamError: the stream is over, but the answer is not.
        """
        passed += scanner.finish()
        if not self._started and not self._start(passed):
            return
        failed = self._count_stream(scanner, now)
        downstream = self._finish()
        if failed:
            downstream.break_off(passed)
        else:
            downstream.end(passed)

    def _count_stream(self, scanner: Scanner, now: float) -> UpstreamError | None:
        """Take note that the stream is over; return the error that the engine itself told in it."""
        self._usage = scanner.usage
        if failed := scanner.failed:
            self._failed(failed)
            self._end(failed)
        else:
            self._answered(now, scanner.usage, streamed=True)
        return failed

    def _complete(self, content: bytes) -> None:
        """Answer with `content`, the whole of what the engine said."""
        assert self._choice is not None
        name, now = self._choice.upstream.service_id, self._gateway.clock()
        answers = self._status == 200
        if answers and (failed := error_in(content, name)):
            self._fail(failed)
            return
        try:
            content, usage = cleaned(content, strip=self._strips(self._choice))
        except Unreadable as unreadable:
            error = UpstreamBadResponse(f"{name}: its answer cannot be read: {unreadable}")
            self._fail(error, works=not answers)
            return
        if not self._headed:
            self._usage = usage
            self._answered(now, usage, streamed=False)
            self._finish().respond(self._status, self._told(_JSON_HEAD), content)
        elif answers:
            self._fail(UpstreamBadResponse(f"{name} sent JSON instead of events"))
        else:
            self._answered(now, usage, streamed=False)
            self._finish().break_off(b"data: %b\n\n" % content.replace(b"\n", b" "))

    def _strips(self, choice: Choice) -> bool:
        """Return whether hidden reasoning is removed from the answer of `choice`."""
        return self._head.may_hide and choice.strips(default=self._gateway.strip)

    def _told(self, head: bytes, *, served: bool = True) -> bytes:
        """Return `head` with the lines that tell how the request was served, if it is known."""
        if self._head.client_id is not None:
            head += b"x-client-request-id: " + self._head.client_id + b"\r\n"
        tried = self._tried
        if not (served and tried):
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

    # The end.

    def _left(self) -> Downstream:
        """Drop everything: nobody waits for it any more."""
        self._gone = True
        if self._choice is not None:
            self._tally().left()
            self._doubt(self._gateway.clock())
        for witness in self._witnesses:
            witness.left(200 if self._headed else 0)
        self._release()
        return self._finish()

    def _hold(self, size: int) -> None:
        """Count bytes that are kept for the request until it is over."""
        self._held += size
        self._gateway.admission.held += size

    def _finish(self) -> Downstream:
        """End the exchange; return the downstream for the last word.

        What is remembered of it holds nothing of what was said.
        """
        gateway = self._gateway
        self._over = True
        self.deadline = NEVER
        self._ended = gateway.clock()
        if self._retrying:
            self._end_retry()
        gateway.active.discard(self)
        gateway.admission.held -= self._held
        if self._principal is not None:
            gateway.admission.leave(self._principal)
            gateway.recent.add(self)  # of strangers nothing: they would push out all there is
        self._body = self._scanner = None
        if self._answer:
            self._answer = []
        downstream = self._downstream
        del self._downstream  # it refers back to us: without this only the collector frees both
        return downstream

    @property
    def noteworthy(self) -> bool:
        """Whether somebody may want to know why it went as it did."""
        return self._gone or self._error is not None or len(self._failures) > 0

    def record(self) -> Record:
        """Return what is remembered of the request; never what was said."""
        gateway = self._gateway
        began = self._began or self._ended
        at_began = gateway.wall_time() - (gateway.clock() - began)
        usage = self._usage
        error = self._error
        if not self._over:
            outcome = "running"
        elif self._gone:
            outcome = LEFT
        else:
            outcome = ANSWERED if error is None else error.code
        status = 200 if self._headed else self._status if error is None else error.http
        return Record(
            request_id=self._request_id.decode(),
            client_id=(self._head.client_id or b"").decode(),
            principal=self._principal or "",
            operation=WORDS[self._head.operation],
            model=self._model[:MAX_MODEL],
            began=at_began,
            outcome=outcome,
            status=status if self._over and not self._gone else 200 * self._headed,
            attempts=self._told_attempts(began),
            sent=self._sent - began if self._tried else None,
            first_byte=self._first - began if self._first != NEVER else None,
            ended=self._ended - began if self._over else None,
            message=str(error) if error is not None else "",
            prompt_tokens=usage.prompt_tokens if usage is not None else None,
            completion_tokens=usage.completion_tokens if usage is not None else None,
        )


def too_large(gateway: Gateway) -> BodyTooLarge:
    """Return what a client is told whose body is larger than `limits.request_body`."""
    return BodyTooLarge(f"the body is larger than {gateway.limits.request_body} bytes")
