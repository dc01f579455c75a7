"""The answering side of an exchange: what a service says, on its way to the client."""

import logging
from collections.abc import Callable

from control.api.errors import GenieHiveError, UpstreamBadResponse, UpstreamError, UpstreamTimeout
from control.api.errors import Upstream as UpstreamFault
from gateway.answer_head import AnswerHead
from gateway.attempts import Attempts
from gateway.downstream import Downstream
from gateway.gateway import MAX_ERROR_BYTES, Gateway
from gateway.reasoning import Unreadable, Usage, cleaned
from gateway.request_head import RequestHead
from gateway.route import Choice, Route
from gateway.seeking import NEVER
from gateway.sse import Scanner, first_error, only_comments
from gateway.timings import of_answer
from gateway.verdict import Course, error_in, judge

log = logging.getLogger(__name__)

MAX_TIMED = 64 << 10  # bytes of an answer that is read again, for what the engine measured
END_S = 1.0  # what a connection may take to end after the stream has

_STREAM_HEAD = (
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\nx-accel-buffering: no\r\n"
)
_WAITING_HEAD = b"%bx-geniehive-queue-position: %d\r\nx-geniehive-queue-eta-ms: %.0f\r\n"
_WAITED_HEAD = b"%bx-geniehive-queue-position: %d\r\nx-geniehive-queue-ms: %.0f\r\n"
_JSON_HEAD = b"content-type: application/json\r\n"


class Answering(Attempts):
    """Judges what comes, and passes it on: a stream as it comes, all else when it is whole.

    The `Receiver` of its calls. What it cannot use it asks another service for, as long as
    the client has nothing of the answer. A base of `Exchange`.
    """

    __slots__ = (
        "_answer",
        "_downstream",
        "_headed",
        "_scanner",
        "_size",
        "_started",
        "_usage",
    )

    def __init__(self, gateway: Gateway, downstream: Downstream, head: RequestHead) -> None:
        Attempts.__init__(self, gateway, head)  # each request pays for it: `super` costs more
        self._downstream = downstream
        # The answer: a stream, or collected.
        self._scanner: Scanner | None = None
        self._answer: list[bytes] = []
        self._size = 0
        self._headed = False  # the client has the head of a stream
        self._started = False  # and something of what the engine said
        self._usage: Usage | None = None

    # What an exchange does.

    def refuse(self, error: GenieHiveError) -> None:
        """Answer with `error`, however far the answer is."""
        raise NotImplementedError

    def _end(self, error: GenieHiveError) -> None:
        """Take note that the request ends with `error`."""
        raise NotImplementedError

    def _finish(self) -> Downstream:
        """End the exchange; return the downstream for the last word."""
        raise NotImplementedError

    def _hold(self, size: int) -> None:
        """Count bytes that are kept for the request until it is over."""
        raise NotImplementedError

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
            if len(content) <= self._gateway.small_answer:
                self._complete(content)
            else:
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
        if (sample := self._sample) is not None:
            sample.events += data.count(b"\n\n")
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
        self._read()
        if self._sample is not None:
            self._sample.started(self._gateway.room.residency, self._gateway.clock())
            self._gateway.room.poke()
        breaker = self._choice.upstream.breaker
        if breaker.attentive:
            self._epoch = breaker.begins(self._epoch, self._gateway.clock())
        if self._retrying:
            self._end_retry()
        if not self._headed:
            self._downstream.start(200, self._told(_STREAM_HEAD))
            self._headed = True
        return True

    def _comment(self, comment: bytes) -> None:
        """Send what is no part of an answer: another service may still give that."""
        if not self._headed:
            head = _STREAM_HEAD
            if self._waiter is not None:
                position, seconds = self._gateway.room.expectation(self._waiter)
                head = _WAITING_HEAD % (head, position, seconds * 1_000)
            self._downstream.start(200, self._told(head, served=False))
            self._headed = True
        self._downstream.write(comment)

    def _end_stream(self, scanner: Scanner, passed: bytes, now: float) -> None:
        """End the client's answer with `passed` and what the scanner still holds.

        Raises:
            UpstreamError: the stream is over, but the answer is not.
        """
        passed += scanner.finish()
        if not self._started and not self._start(passed):
            return
        failed = self._count_stream(scanner, now)
        client = self._finish()
        self._say(client, client.break_off if failed else client.end, passed)

    def _count_stream(self, scanner: Scanner, now: float) -> UpstreamError | None:
        """Take note that the stream is over; return the error that the engine itself told in it."""
        self._usage = scanner.usage
        if self._sample is not None:
            self._sample.timings = scanner.timings
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
            if self._sample is not None and len(content) <= MAX_TIMED:
                self._sample.timings = of_answer(content)
            self._answered(now, usage, streamed=False)
            client = self._finish()
            try:  # here and not by `_say`: nearly every request ends so
                client.respond(self._status, self._told(_JSON_HEAD), content)
            except Exception as bug:  # noqa: BLE001  # whatever it is, nobody waits for more
                self._unsaid(client, bug)
        elif answers:
            self._fail(UpstreamBadResponse(f"{name} sent JSON instead of events"))
        else:
            self._answered(now, usage, streamed=False)
            event = b"data: %b\n\n" % content.replace(b"\n", b" ")
            client = self._finish()
            self._say(client, client.break_off, event)

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
        if self._queue_position:
            head = _WAITED_HEAD % (head, self._queue_position, self._queued_s * 1_000)
        return (
            b"%bx-request-id: %b\r\n%bx-geniehive-attempts: %d\r\nx-geniehive-overhead-ms: %.2f\r\n"
        ) % (
            head,
            self._request_id,
            tried[-1].head,
            len(tried),
            (self._sent - self._began - self._queued_s) * 1_000,
        )

    # What the room calls.

    def admitted(self, route: Route, choice: Choice) -> None:
        try:
            (self._ask_again if self._tried else self._ask)(route, choice)
        except Exception as error:  # noqa: BLE001  # see `_went_wrong`
            self._went_wrong(error)

    def turned_away(self, error: Exception) -> None:
        try:
            self._stop_waiting()
            if self._tried and isinstance(error, GenieHiveError):
                error = self._conclusion(self._gateway.clock())
        except Exception as bug:  # noqa: BLE001  # see `_went_wrong`
            error = bug
        self._went_wrong(error)

    # What goes wrong.

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
            self._hold(-sum(map(len, self._answer)))
            self._answer, self._size = [], 0
            self._ask_another(error, lost=lost, works=works)
        except Exception as final:  # noqa: BLE001  # see `_went_wrong`
            self._went_wrong(final)

    def _went_wrong(self, error: Exception) -> None:
        """Tell the client, who would wait otherwise; a bug of ours is not the client's fault."""
        self.refuse(error if isinstance(error, GenieHiveError) else self._bug(error))

    def _bug(self, error: Exception) -> GenieHiveError:
        """Log a mistake of ours; return what is told of it."""
        name = self._request_id.decode()
        log.error("%s: bug", name, exc_info=error, extra={"request_id": name})
        return GenieHiveError("the gateway has a bug; the log has more")

    def _say(self, client: Downstream, word: Callable[..., None], *what: object) -> None:
        """Say the last word; whom it cannot be told does not wait for it."""
        try:
            word(*what)
        except Exception as bug:  # noqa: BLE001  # whatever it is, the connection ends
            self._unsaid(client, bug)

    def _unsaid(self, client: Downstream, bug: Exception) -> None:
        self._bug(bug)
        client.cut()
