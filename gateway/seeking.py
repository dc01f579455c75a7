"""Finding who serves a request: at once where somebody is free, else after waiting for it."""

from collections.abc import Collection, Iterator, Sequence

from control.api.priorities import Priority
from gateway.balance import take
from gateway.body import Body
from gateway.gateway import Gateway
from gateway.load import Need
from gateway.record import Queued
from gateway.request_head import RequestHead
from gateway.route import Choice, Route
from gateway.waiter import Waiter
from gateway.witness import Witness

NEVER = float("inf")
WAITING_S = 2.0  # after which a client is told that it waits


class Seeking:
    """What is known of one request before anybody is asked; a base of `Exchange`.

    `deadline` is when `expire` of the exchange is due, seconds of the gateway's clock.
    `noteworthy`: whether somebody may want to know why it went as it did.
    """

    __slots__ = (
        "_began",
        "_body",
        "_due",
        "_entered",
        "_gateway",
        "_head",
        "_last",
        "_model",
        "_ping_at",
        "_principal",
        "_queue_position",
        "_queue_reason",
        "_queued_at",
        "_queued_s",
        "_request_id",
        "_tried",
        "_until",
        "_waiter",
        "_witnesses",
        "deadline",
        "noteworthy",
    )

    _due: float  # when patience with what it waits for ends
    _until: float  # when that has to be over
    _last: float  # when the request has to be over
    _queued_at: float  # when it waited first

    def __init__(self, gateway: Gateway, head: RequestHead) -> None:
        self._gateway = gateway
        self._head = head
        self._request_id = gateway.next_request_id()
        self._body: Body | None = None
        self._model = ""  # as the client calls it
        self._principal: str | None = None  # once it has entered
        self._tried: list[Choice] = []
        self.noteworthy = False
        self._began = 0.0
        self._ping_at = NEVER
        self.deadline = NEVER
        # While it waits for a service that is free, and what is told of that.
        self._waiter: Waiter | None = None
        self._entered = NEVER  # when it began to wait
        self._queue_position = 0  # then, 1 for the next; 0: it never waited
        self._queue_reason = ""  # in words
        self._queued_s = 0.0  # in all
        self._witnesses: Sequence[Witness] = ()
        if gateway.witnesses:
            self._witnesses = [begin(head, self._request_id) for begin in gateway.witnesses]

    def _ask(self, route: Route, choice: Choice) -> None:
        """Ask the service of `choice`, one of `route`, where the request is counted already."""
        raise NotImplementedError

    def _begin(self, body: Body) -> None:
        """Ask the first service, or wait until one is free.

        Raises:
            GenieHiveError: nobody can be asked.
        """
        gateway, operation = self._gateway, self._head.operation
        self._body = body
        self._model = body.model
        for witness in self._witnesses:
            witness.named(body.model)
        route = gateway.routes.resolve(operation, body.model)
        if gateway.rotation.quiet and not gateway.room.places and self._head.priority is None:
            if len(route.pool) == 1:
                choice = take(route, gateway.random)
            else:
                choice = take(route, gateway.random, self._need(body), self._began)
            upstream = choice.upstream
            # Whose model is not there waits its turn, or it may cost others theirs.
            if upstream.fits and not choice.absent and upstream.switch is None:
                self._ask(route, choice)
                return
            upstream.in_flight -= 1
        if (found := self._seek(body, route.priority, self._began)) is not None:
            self._ask(*found)

    def _need(self, body: Body) -> Need:
        return Need(len(body.raw), body.most, self._began)

    def _seek(
        self, body: Body, of_role: Priority | None, now: float
    ) -> tuple[Route, Choice] | None:
        """Return who serves the request, counted in flight there; None: it waits for that.

        Raises:
            GenieHiveError: nobody can be asked.
        """
        gateway, need = self._gateway, self._need(body)
        principal = self._principal or ""
        priority = gateway.priorities.of(self._head.priority, principal, of_role)
        if not gateway.routes.waiting.on:
            return gateway.rotation.take(self.succession(), self.asked_before(), now, need)
        lane = self._head.operation, self._model, frozenset(self.asked_before())
        waiter = Waiter(self, lane, principal, priority, need, self._last)
        found = gateway.room.take(waiter, now)
        if found is None:
            self._waiter, self._entered = waiter, now
            if not self._queue_position:
                self._queued_at = now
                self._queue_position, _ = gateway.room.expectation(waiter)
            self._queue_reason = gateway.room.reason(waiter)
            self._until = self._last
            if self._ping_at != NEVER:
                self._ping_at = now + WAITING_S
            self._wait(now, NEVER)
        return found

    # What the room calls, and asks.

    def succession(self) -> Iterator[Route]:
        """Yield the routes that may serve the request, in order."""
        return self._gateway.routes.succession(self._head.operation, self._model)

    def asked_before(self) -> Collection[str]:
        """Return the services that have failed with it."""
        return {choice.upstream.service_id for choice in self._tried}

    def admitted(self, route: Route, choice: Choice) -> None:
        """Ask the service of `choice`, where the request is counted: its turn has come."""
        raise NotImplementedError

    def turned_away(self, error: Exception) -> None:
        """End it with `error`: there is nothing left to wait for, or a bug."""
        raise NotImplementedError

    def _stop_waiting(self) -> None:
        """Take note that it does not wait any more; harmless when it did not."""
        if self._waiter is not None:
            now, room = self._gateway.clock(), self._gateway.room
            seconds = now - self._entered
            self._queued_s += seconds
            waiter, self._waiter = self._waiter, None
            room.leave(waiter)
            room.waited.over(seconds)
            for witness in self._witnesses:
                witness.waited(seconds, self._queue_position)
            if self._ping_at != NEVER:
                self._ping_at = now + self._gateway.timeouts.ping

    def _wait(self, now: float, seconds: float) -> None:
        """Be patient with the service for so many seconds more."""
        due = now + seconds
        self._due = due = due if due < self._until else self._until
        self.deadline = due if due < self._ping_at else self._ping_at

    def _told_queued(self, began: float) -> Queued | None:
        """Return how it waits, or waited, for people. began: when the request did."""
        if not self._queue_position:
            return None
        now = self._gateway.clock()
        seconds = self._queued_s + (now - self._entered if self._waiter is not None else 0.0)
        return Queued(self._queued_at - began, seconds, self._queue_position, self._queue_reason)
