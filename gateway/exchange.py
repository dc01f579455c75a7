"""The life of one inference request, between a client and the engines that may serve it.

Sans-I/O: a door hands the request in and takes the answer, an upstream carries
it; neither waits here. Everything that is local happens in the caller's turn.
"""

import logging

from control.api.errors import BodyTooLarge, GenieHiveError
from control.api.errors import Upstream as UpstreamFault
from gateway import body, errors
from gateway.answering import END_S, Answering
from gateway.attempts import bare
from gateway.downstream import Downstream
from gateway.gateway import Gateway
from gateway.record import MAX_MODEL, RUNNING, WAITING, Record
from gateway.request_head import RequestHead
from gateway.resources import WORDS
from gateway.seeking import NEVER
from gateway.totals import ANSWERED, LEFT
from gateway.waiter import Waiter

log = logging.getLogger(__name__)

SMALL = 64 << 10  # bytes of a body that always fit
PING = b": ping\n\n"
WAITING_PING_S = 5.0  # between two words on how long it is still going to be


class Exchange(Answering):
    """One request and its answer.

    The door calls `admit` with the head and `run` with the body, then `pause` and
    `resume` as the client reads, and `cancel` if the client leaves. From `run` on
    `expire` is due at `deadline`, seconds of the gateway's clock. The downstream
    is called in order, and never after `respond`, `end`, `break_off`, `cut` or `cancel`.
    """

    __slots__ = (
        "_ended",
        "_error",
        "_gone",
        "_held",
        "_over",
        "_paused",
    )

    def __init__(self, gateway: Gateway, downstream: Downstream, head: RequestHead) -> None:
        Answering.__init__(self, gateway, downstream, head)  # as there
        self._held = 0  # bytes that count against the gateway's memory
        self._paused = False
        self._over = False
        # How it ended, for who asks later.
        self._gone = False
        self._error: GenieHiveError | None = None

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
        self._held = size = len(content)
        gateway.admission.held += size
        self._began = began = gateway.clock()
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
        try:
            self._refuse(error)
        except Exception as bug:  # noqa: BLE001  # see `_drop`
            self._drop(bug)

    def _refuse(self, error: GenieHiveError) -> None:
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
        told = scanner is not None and scanner.failed  # by the engine itself
        client = self._finish()
        if self._headed:
            self._say(client, client.break_off, b"" if told else errors.event(error))
        else:
            head = self._told(errors.head(error))
            self._say(client, client.respond, error.http, head, errors.body(error))

    def _end(self, error: GenieHiveError) -> None:
        """Take note that the request ends with `error`."""
        self._stop_waiting()
        self._error = bare(error)
        self._model = self._model[:MAX_MODEL]  # one that nobody serves may have megabytes
        self.noteworthy = True
        for witness in self._witnesses:
            witness.over(200 if self._headed else error.http, self._usage, error)
        self._release()

    def cancel(self) -> None:
        """Drop everything: the client has left."""
        if self._over:
            return
        scanner = self._scanner
        try:
            if scanner is not None and scanner.ended:  # as clients do that have their answer
                self._count_stream(scanner, self._gateway.clock())
                self._finish()
            else:
                self._left()
        except Exception as bug:  # noqa: BLE001  # see `_drop`
            self._drop(bug)

    def pause(self) -> None:
        """Stop reading from the engine until `resume`: the client reads too slowly."""
        if self._call is not None:
            self._paused = True
            if self._started:
                self._sample = None  # from now on it is the client who is measured
            self._call.pause()
            self._wait(self._gateway.clock(), self._waits.idle)

    def resume(self) -> None:
        if self._paused and self._call is not None:
            self._paused = False
            self._call.resume()
            ended = self._scanner is not None and self._scanner.ended
            self._wait(self._gateway.clock(), END_S if ended else self._waits.idle)

    def expire(self) -> None:
        """Do what is due at `deadline`: let the client know that it is waited, or give up."""
        try:
            self._expire(self._gateway.clock())
        except Exception as error:  # noqa: BLE001  # see `_went_wrong`
            self._went_wrong(error)

    def _expire(self, now: float) -> None:
        if now < self._due:
            if self._waiter is not None:
                self._tell_waiting(self._waiter, now)
            else:
                self._ping(now)
        elif self._waiter is not None:
            self.refuse(self._gateway.room.refusal(self._waiter))
        elif self._paused:
            name = self._request_id.decode()
            log.info("%s: the client stopped reading", name, extra={"request_id": name})
            client = self._left()
            self._say(client, client.cut)
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

    def _tell_waiting(self, waiter: Waiter, now: float) -> None:
        """Say how long it is still going to be."""
        position, seconds = self._gateway.room.expectation(waiter)
        self._comment(b": waiting, position %d, about %.0f s\n\n" % (position, max(1.0, seconds)))
        self._ping_at = now + WAITING_PING_S
        self.deadline = min(self._due, self._ping_at)

    # The end.

    def _left(self) -> Downstream:
        """Drop everything: nobody waits for it any more."""
        self._stop_waiting()
        self._gone = self.noteworthy = True
        if self._choice is not None:
            self._tally().left()
            self._doubt(self._gateway.clock())
        for witness in self._witnesses:
            witness.left(200 if self._headed else 0)
        self._release()
        return self._finish()

    def _drop(self, bug: Exception) -> None:
        """End it although not even its end went well: it must not hold up others."""
        error = self._bug(bug)
        if not self._over:
            self._error = self._error or error
            self._release()
            client = self._finish()
            self._say(client, client.cut)

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
            recent = gateway.recent  # of strangers nothing: they would push out all there is
            if self.noteworthy or recent.room:
                try:
                    recent.add(self)
                except Exception as bug:  # noqa: BLE001  # the client waits for its last word
                    self._bug(bug)
        self._body = self._scanner = None
        if self._answer:
            self._answer = []
        downstream = self._downstream
        del self._downstream  # it refers back to us: without this only the collector frees both
        return downstream

    def record(self) -> Record:
        """Return what is remembered of the request; never what was said."""
        gateway = self._gateway
        began = self._began or (self._ended if self._over else gateway.clock())
        at_began = gateway.wall_time() - (gateway.clock() - began)
        usage = self._usage
        error = self._error
        status = 200 if self._headed else 0
        if not self._over:
            outcome = RUNNING if self._waiter is None else WAITING
        elif self._gone:
            outcome = LEFT
        elif error is not None:
            outcome, status = error.code, status or error.http
        else:
            outcome, status = ANSWERED, self._status
        return Record(
            request_id=self._request_id.decode(),
            client_id=(self._head.client_id or b"").decode(),
            principal=self._principal or "",
            operation=WORDS[self._head.operation],
            model=self._model[:MAX_MODEL],
            began=at_began,
            outcome=outcome,
            status=status,
            attempts=self._told_attempts(began),
            sent=self._sent - began if self._tried else None,
            first_byte=self._first - began if self._tried and self._first != NEVER else None,
            ended=self._ended - began if self._over else None,
            message=str(error) if error is not None else "",
            prompt_tokens=usage.prompt_tokens if usage is not None else None,
            completion_tokens=usage.completion_tokens if usage is not None else None,
            queued=self._told_queued(began),
        )


def too_large(gateway: Gateway) -> BodyTooLarge:
    """Return what a client is told whose body is larger than `limits.request_body`."""
    return BodyTooLarge(f"the body is larger than {gateway.limits.request_body} bytes")
