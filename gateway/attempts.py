"""The asking side of an exchange: one service after the other, until one of them answers.

The only place where a request is tried again.
"""

from asyncio import TimerHandle
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from control.api.errors import AllBusy, GenieHiveError, UpstreamTimeout
from gateway.failover import conclusion, see
from gateway.gateway import Gateway
from gateway.meter import Tally
from gateway.patience import Waits
from gateway.reasoning import Usage
from gateway.record import Attempt
from gateway.request_head import RequestHead
from gateway.route import Choice, Route
from gateway.sample import LONG_PROMPT, Sample, is_telling, reading_s
from gateway.seeking import NEVER, Seeking
from gateway.trace_context import lines
from gateway.upstream import Call, Upstream

DOUBT_S = 1.0  # who waits for less does not know whether a service hangs


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed. at: when it began, seconds of the gateway's clock."""

    choice: Choice
    at: float
    error: GenieHiveError


def bare(error: GenieHiveError) -> GenieHiveError:
    """Return `error` as it is remembered: without where it was raised, and from what.

    The frames there hold bodies, and us, in a circle.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


class Attempts(Seeking):
    """Those who were asked for a request, and who is asked now; a base of `Exchange`."""

    __slots__ = (
        "_call",
        "_choice",
        "_epoch",
        "_failures",
        "_first",
        "_lost",
        "_reading",
        "_reading_s",
        "_retrying",
        "_sample",
        "_sent",
        "_status",
        "_waits",
    )

    # Of the attempt that was begun last, if one was.
    _epoch: int  # of its service's breaker
    _status: int  # of the answer, 0 before its head
    _sent: float
    _first: float  # when the answer's first byte came
    _waits: Waits  # of the service
    _sample: Sample | None  # of it, if it is measured

    def __init__(self, gateway: Gateway, head: RequestHead) -> None:
        Seeking.__init__(self, gateway, head)  # each request pays for it: `super` costs more
        self._failures: Sequence[Failure] = ()
        # Who is being asked now.
        self._choice: Choice | None = None
        self._call: Call | None = None
        self._lost = False  # whether a service was lost with this request, maybe by it
        self._retrying = False  # whether it has a place in the retry budget
        self._reading_s = 0.0  # seconds of its prompt that count as unread where it was sent
        self._reading: TimerHandle | None = None  # ends that, where the first token is not seen

    def _ask(self, route: Route, choice: Choice) -> None:
        """Ask the service of `choice`, one of `route`, where the request is counted already."""
        gateway, head = self._gateway, self._head
        upstream = choice.upstream
        self._choice = choice
        self._epoch = upstream.breaker.epoch
        assert self._body is not None
        try:
            if self._waiter is not None:
                self._stop_waiting()
            content = choice.shaped(self._body)
        except Exception:
            self._release()  # the service was not asked, and is not to blame
            raise
        self._tried.append(choice)
        route.asked(choice)
        self._status = 0
        self._first = NEVER
        self._sent = now = gateway.clock()
        size = len(self._body.raw)
        reading = reading_s(choice, size) if size > LONG_PROMPT else 0.0
        telling = reading or is_telling(choice, now)
        self._sample = Sample(choice, size, now) if telling else None
        if reading:
            self._begin_reading(upstream, reading, seen=self._body.stream)
        waits = self._waits = upstream.waits.get(head.operation) or gateway.waits(
            upstream, head.operation
        )
        until, last = now + waits.total, self._last
        self._until = until if until < last else last
        self._wait(now, waits.first_byte)
        self._call = upstream.call(
            self,  # type: ignore[arg-type]  # an exchange is a receiver
            head.path,
            self._request_id,
            content,
            now,
            waits.connect,
            self._lines(choice) if self._witnesses or head.trace_context else b"",
        )

    def _begin_reading(self, upstream: Upstream, seconds: float, *, seen: bool) -> None:
        """Count a prompt that keeps its service busy. seen: whether its end will be."""
        self._reading_s = seconds
        upstream.read(seconds)
        if not seen:
            self._reading = self._gateway.later(seconds, self._read)

    def _read(self) -> None:
        """Take note that the service has read the prompt; harmless when that is known."""
        if self._reading_s:
            assert self._choice is not None
            self._choice.upstream.read(-self._reading_s)
            self._reading_s = 0.0
            if self._reading is not None:
                self._reading.cancel()
                self._reading = None
            self._gateway.room.poke()

    def _ask_another(self, error: GenieHiveError, *, lost: bool, works: bool) -> None:
        """Ask the next service after one that failed with `error`.

        lost: with the connection, after the request had been sent. works: it does what it
        should, if not for this request.

        Raises:
            GenieHiveError: there is none, or it may not be asked; what to tell the client.
        """
        if works:
            self._works(self._gateway.clock())
            self._blame(error)
        else:
            self._failed(error)
        self._release()
        gateway, tried = self._gateway, self._tried
        lost_before, self._lost = self._lost, self._lost or lost
        now = gateway.clock()
        if now >= self._last:
            raise self._too_late()
        # Two that go down under one request may have gone down by it.
        if len(tried) >= gateway.failover.attempts or (lost and lost_before):
            raise self._conclusion(now)
        assert self._body is not None
        first = next(self.succession(), None)
        try:
            found = self._seek(self._body, first.priority if first is not None else None, now)
        except GenieHiveError as nobody:
            raise self._conclusion(now) from nobody
        if found is not None:
            self._ask_again(*found)
        elif self._retrying:  # nothing is under way that could multiply what fails
            self._end_retry()

    def _ask_again(self, route: Route, choice: Choice) -> None:
        """Ask the service of `choice` after others, if so many retries may be made.

        Raises:
            GenieHiveError: they may not; what to tell the client.
        """
        gateway, now = self._gateway, self._gateway.clock()
        budget = gateway.retry_budget
        if choice.upstream.breaker.attentive and not self._retrying:
            # Who waits is at no service: a crowd in the room must not multiply what fails.
            self._retrying = budget.begin(len(gateway.active) - gateway.room.waiting)
            if not self._retrying:
                self._choice, self._epoch = choice, choice.upstream.breaker.epoch
                self._release()
                raise self._conclusion(now)
        budget.retried += 1
        self._ask(route, choice)

    def _conclusion(self, now: float) -> GenieHiveError:
        """Return what to tell the client after all attempts that are to be made have failed."""
        gateway = self._gateway
        succession = gateway.routes.succession(self._head.operation, self._model)
        out_for = gateway.rotation.out_for(succession, now)
        errors = [failure.error for failure in self._failures]
        return conclusion(errors, self._model, out_for, self._request_id.decode())

    def _too_late(self) -> GenieHiveError:
        asked, longest = self._head.seconds, self._gateway.longest[self._head.operation]
        hasty = asked is not None and asked < longest
        seconds, whose = (asked, "X-Request-Timeout") if hasty else (longest, "total")
        name = self._tried[-1].upstream.service_id if self._tried else "no service"
        return UpstreamTimeout(
            f"{name} was not done after {seconds:g} s ({whose})",
            see=see(self._request_id.decode()),
        )

    def _lines(self, choice: Choice) -> bytes:
        """Return the header lines that tell a service what it works for; maybe none."""
        context = self._head.trace_context
        told = [witness.attempt(choice.upstream, choice.asset) for witness in self._witnesses]
        return b"".join(told) or lines(context)

    # How an attempt ends.

    def _answered(self, now: float, usage: Usage | None, *, streamed: bool) -> None:
        """The service has answered, if only that it will not: with a 400, say."""
        assert self._choice is not None
        sent, first = self._sent, self._first if streamed else now
        self._tally().answered(first - sent, now - sent, usage, streamed=streamed)
        if (sample := self._sample) is not None:
            residency = self._gateway.room.residency
            if self._status == 200:
                sample.answered(residency, first - sent if streamed else None, usage, now)
            else:
                sample.refused(residency, now)
        if self._retrying or self._choice.upstream.breaker.attentive:
            self._works(now)
        for witness in self._witnesses:
            witness.over(self._status, usage, None)
        self._release()

    def _works(self, now: float) -> None:
        """Take note that the service does what it should."""
        assert self._choice is not None
        breaker = self._choice.upstream.breaker
        if breaker.attentive:
            breaker.answered(self._epoch, now)
        if self._retrying:
            self._end_retry()

    def _failed(self, error: GenieHiveError) -> None:
        """The service did not do its part."""
        assert self._choice is not None
        upstream, now = self._choice.upstream, self._gateway.clock()
        breaker = upstream.breaker
        if isinstance(error, AllBusy):
            breaker.answered(self._epoch, now)
            breaker.rests(float(error.retry_after or 1), now)
            upstream.capacity.refused(upstream.in_flight + upstream.elsewhere)
        else:
            breaker.failed(self._epoch, error, now)
        self._blame(error)

    def _doubt(self, now: float) -> None:
        """Nobody waits for the service any more: maybe it hangs, maybe that was impatience."""
        if self._choice is not None and not self._status and now - self._sent >= DOUBT_S:
            self._choice.upstream.breaker.doubted(self._epoch, now)

    def _blame(self, error: GenieHiveError) -> None:
        """Tell whoever counts that the attempt ended with `error`."""
        assert self._choice is not None
        self._tally().failed(error.code)
        self.noteworthy = True
        self._failures = (*self._failures, Failure(self._choice, self._sent, bare(error)))
        for witness in self._witnesses:
            witness.failed(error)

    def _tally(self) -> Tally:
        """Return where the attempt under way is counted."""
        assert self._choice is not None
        upstream, asset = self._choice.upstream, self._choice.asset
        tally = upstream.tallies.get(asset)
        if tally is None:
            tally = self._gateway.meter.tally(upstream.service_id, msgspec.json.decode(asset))
            upstream.tallies[asset] = tally
        return tally

    def _release(self) -> None:
        """Give back what the attempt holds, or its place; harmless when it holds nothing."""
        if self._waiter is not None:
            self._stop_waiting()
        if self._reading_s:
            self._read()
        choice, self._choice = self._choice, None
        call, self._call = self._call, None
        if choice is not None:
            upstream = choice.upstream
            upstream.in_flight -= 1
            if upstream.switch is not None:
                self._gateway.room.residency.failed(choice)  # unless it has started
            room = self._gateway.room
            if room.places:
                room.poke()
            if upstream.breaker.attentive:
                upstream.breaker.left(self._epoch)  # if nothing was told of it before
        if call is not None:
            call.cancel()

    def _told_attempts(self, began: float) -> list[Attempt]:
        """Return all attempts so far, for people. began: when the request did."""
        told = [
            _attempt(one.choice, one.at - began, one.error.code, str(one.error))
            for one in self._failures
        ]
        if len(self._tried) > len(told):
            told.append(_attempt(self._tried[-1], self._sent - began))
        return told

    def _end_retry(self) -> None:
        self._retrying = False
        self._gateway.retry_budget.end()


def _attempt(choice: Choice, at: float, code: str = "", message: str = "") -> Attempt:
    upstream = choice.upstream
    asset_id = msgspec.json.decode(choice.asset)
    return Attempt(at, upstream.service_id, upstream.host_id, asset_id, code, message)
