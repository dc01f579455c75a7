"""Who waits for a service, and who goes next: requests are bound late, to whoever is free.

Nothing is sent to an engine that is full. Its queue would be one that nobody can leave for
another engine, or overtake. A planning pass looks at those who wait, in order. Who finds the
service that it is meant for free is sent; who does not keeps a place there, so that those
behind it reckon with that, and go to a slower one only when they are done sooner there.
"""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import Protocol

from control.api.errors import AllBusy
from control.api.priorities import Priority
from gateway.balance import outlook
from gateway.busy import busy, reason
from gateway.load import Load, Need
from gateway.pace import least_s, served_a_second, wait_s, work_s
from gateway.queue import Place, Queue
from gateway.reservations import Reservations
from gateway.residency import is_absent, is_overdue
from gateway.rotation import Occupied, Rotation
from gateway.route import Choice, Route
from gateway.waited import Refusal, Waited

DEPTH = 16  # of one lane, who is looked at in one pass


class Waiter(Protocol):
    """A request that waits. until: when its time is over, seconds of the clock."""

    principal: str
    priority: Priority
    need: Need
    until: float

    @property
    def lane(self) -> Hashable:
        """What it asks for, so that whoever could serve it could serve all of its lane."""
        ...

    def routes(self) -> Iterable[Route]:
        """Return all that may serve it, in order."""
        ...

    def tried(self) -> Collection[str]:
        """Return the services that it was sent to before."""
        ...

    def go(self, route: Route, choice: Choice) -> None:
        """Be sent to `choice`, where it is counted in flight already."""
        ...

    def fail(self, error: Exception) -> None:
        """Learn that it need not wait any more: that nobody is left, or a bug."""
        ...


class Room:
    """All who wait in one process. limit: how many that may be. places: theirs."""

    def __init__(
        self,
        rotation: Rotation,
        limit: int,
        clock: Callable[[], float],
        soon: Callable[[Callable[[], None]], object],
    ) -> None:
        """soon: calls what it is given in the next turn of the loop."""
        self.limit = limit
        self.residency = rotation.residency
        self._rotation = rotation
        self._clock = clock
        self._soon = soon
        self._queue = Queue()
        self.places: dict[Waiter, Place] = {}
        self._wanted: dict[Hashable, Sequence[Choice]] = {}  # whom a lane waited for last
        self._booked: list[Load] = []
        self._told: list[Load] = []  # whose `waiting` is not 0
        self._reserved = Reservations(rotation.residency)
        self._planned = self._planning = False
        self.waited = Waited()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self.places)

    # Who comes and leaves.

    def take(self, waiter: Waiter, now: float) -> tuple[Route, Choice] | None:
        """Return who serves `waiter` now, counted in flight there; None: it waits.

        Raises:
            AllBusy: it may not wait, or would in vain.
            NoHealthyRoute: nobody can serve it.
        """
        occupied = None
        if not self.places:
            try:
                return self._find(waiter, now, now)
            except Occupied as found:
                occupied = found
        choices = self._choices(waiter, occupied)
        if len(self.places) >= self.limit:
            position = self._queue.lanes().get(waiter.lane, 0) + 1
            seconds = position / served_a_second(choices, waiter.need)
            return self._spill(waiter, now, Refusal.FULL, choices, position, seconds)
        place = self._place(waiter, choices, now)
        self._queue.add(place)
        self.places[waiter] = place
        self._wanted.setdefault(waiter.lane, choices)
        position, seconds = self.expectation(waiter)
        if now + least_s(choices, seconds) <= waiter.until:
            if occupied is None:
                self.poke()
            return None
        self._forget(waiter)
        return self._spill(waiter, now, Refusal.DEADLINE, choices, position, seconds)

    def _spill(
        self,
        waiter: Waiter,
        now: float,
        why: Refusal,
        choices: Sequence[Choice],
        position: int,
        seconds: float,
    ) -> tuple[Route, Choice]:
        """Return whoever is free for one that may not wait, counted in flight there.

        Raises:
            AllBusy: there is nobody.
            NoHealthyRoute: nobody can serve it.
        """
        if self._planned and not self._planning:
            self.plan()  # whoever is free now is for those who wait already
        try:
            return self._find(waiter, now, now, spill=True)
        except (AllBusy, Occupied) as refusal:
            self.waited.refuse(why)
            raise busy(choices, position - 1, seconds) from refusal

    def leave(self, waiter: Waiter) -> None:
        """Let somebody go; harmless when it does not wait."""
        if self._forget(waiter):
            self.poke()  # it may have kept a place that others want

    def _forget(self, waiter: Waiter) -> bool:
        """Let somebody go; return whether it was waiting."""
        place = self.places.pop(waiter, None)
        if place is None:
            return False
        self._queue.remove(place)
        self._reserved.end(waiter)
        if not self.places:
            self._clear()
        return True

    def expectation(self, waiter: Waiter) -> tuple[int, float]:
        """Return the place of `waiter` in its lane, from 1, and how many seconds it is to wait.

        0 and 0 when it does not wait.
        """
        place = self.places.get(waiter)
        if place is None:
            return 0, 0.0
        position, before_s = self._queue.standing(place)
        choices = self._wanted.get(waiter.lane, ())
        return position, wait_s(choices, waiter.need, place.work, before_s)

    def reason(self, waiter: Waiter) -> str:
        """Return in words what `waiter` waits for."""
        return reason(self._wanted.get(waiter.lane, ()))

    def refusal(self, waiter: Waiter) -> AllBusy:
        """Return what to tell who waited in vain until its time was over."""
        self.waited.refuse(Refusal.DEADLINE)
        position, seconds = self.expectation(waiter)
        choices = self._wanted.get(waiter.lane) or self._choices(waiter, None)
        if not choices:
            return AllBusy("all who could serve it are busy", retry_after=1)
        return busy(choices, position - 1, seconds)

    # Planning.

    def poke(self) -> None:
        """Plan in the next turn of the loop: somebody may be free."""
        if self.places and not self._planned:
            self._planned = True
            self._soon(self.plan)

    def plan(self) -> None:
        """Send whom there is a place for, in order."""
        self._planned, self._planning = False, True
        try:
            self._plan(self._clock())
        finally:
            self._planning = False

    def _plan(self, now: float) -> None:
        self._clear_bookings()
        self.residency.pass_time(now)
        self._send_reserved(now)
        looked: Counter[Hashable] = Counter()
        full: set[str] = set()  # services that take nobody more in this pass
        in_order = self._queue.in_order()
        for place in in_order:
            waiter: Waiter = place.waiter  # type: ignore[assignment]  # the queue does not know what it holds
            if not looked[waiter.lane] and self._is_full(waiter, full):
                in_order.close_lane(waiter.lane)
                continue
            try:
                route, choice = self._find(waiter, now, place.since)
            except Occupied as occupied:
                others = self._book(waiter, occupied, now)
                self._wanted[waiter.lane] = occupied.choices
                looked[waiter.lane] += 1
                if looked[waiter.lane] >= DEPTH or not others:
                    in_order.close_lane(waiter.lane)
                continue
            except Exception as error:  # noqa: BLE001  # a bug with one holds up nobody else
                self.leave(waiter)
                waiter.fail(error)
                continue
            self._queue.served(place)
            del self.places[waiter]
            self._reserved.end(waiter)
            waiter.go(route, choice)
        if not self.places:
            self._clear()
        elif len(self._wanted) > len(lanes := self._queue.lanes()):
            self._wanted = {lane: self._wanted[lane] for lane in lanes if lane in self._wanted}

    def _is_full(self, waiter: Waiter, full: set[str]) -> bool:
        """Return whether nobody takes `waiter`, as far as that shows at little cost.

        full: services that are known to take nobody; it grows.
        """
        route = next((one for one in waiter.routes() if one.choices), None)
        if route is None or route.absent or self.residency.switching or waiter.tried():
            return False
        if not self._rotation.is_whole(route):
            return False
        for one in route.pool:
            if one.upstream.service_id in full:
                continue
            if one.upstream.takes_one:
                return False
            full.add(one.upstream.service_id)
        self._wanted[waiter.lane] = route.pool
        return True

    def _find(
        self, waiter: Waiter, now: float, since: float, *, spill: bool = False
    ) -> tuple[Route, Choice]:
        """Return who serves `waiter` now, counted in flight there. spill: see `Rotation.take`.

        Raises:
            Occupied: it has to wait.
            AllBusy, NoHealthyRoute: as `Rotation.take`.
        """
        route, choice = self._rotation.take(
            waiter.routes(), waiter.tried(), now, waiter.need, spill=spill
        )
        if not is_absent(choice):
            return route, choice
        self._rotation.give_back(choice)
        overdue = is_overdue(choice, since, now)
        if self.residency.may_load(choice) and (overdue or not self._serves_others(choice)):
            choice.upstream.in_flight += 1
            self.residency.begin(choice, now)
            return route, choice
        if overdue:
            self._reserved.begin(waiter, choice)
        raise Occupied([choice], None)  # a slot is of no use to it before that

    def _serves_others(self, choice: Choice) -> bool:
        """Return whether somebody waits for a model that the service holds."""
        return any(
            one.upstream is choice.upstream and not is_absent(one)
            for lane, choices in self._wanted.items()
            if lane in self._queue.lanes()
            for one in choices
        )

    def _send_reserved(self, now: float) -> None:
        """Send those for whom a service was kept, as soon as nobody else is there."""
        for waiter, route, choice in self._reserved.due(now):
            place = self.places.pop(waiter)
            self._reserved.end(waiter)
            self._queue.served(place)
            choice.upstream.in_flight += 1
            self.residency.begin(choice, now)
            waiter.go(route, choice)

    def _book(self, waiter: Waiter, occupied: Occupied, now: float) -> bool:
        """Keep a place for who waits; return whether anybody of its lane could be sent now."""
        if occupied.wanted is None:
            return False
        load = occupied.wanted.upstream
        load.book(outlook(occupied.wanted, waiter.need, now).prefill)
        self._booked.append(load)
        return any(one.upstream.takes_one for one in occupied.choices)

    # Figures.

    def _place(self, waiter: Waiter, choices: Sequence[Choice], now: float) -> Place:
        work = work_s(choices, waiter.need)
        since = waiter.need.since
        return Place(waiter.lane, waiter.principal, waiter.priority, since, work, waiter)

    def _choices(self, waiter: Waiter, occupied: Occupied | None) -> Sequence[Choice]:
        """Return those whom `waiter` waits for, as far as can be told."""
        if occupied is not None:
            return occupied.choices
        known = self._wanted.get(waiter.lane)
        return known or next((route.pool for route in waiter.routes() if route.choices), ())

    def tell(self) -> None:
        """Note at each service how many wait for it, or its part of those who wait for several."""
        for load in self._told:
            load.waiting = 0
        self._told.clear()
        for lane, count in self._queue.lanes().items():
            loads = {one.upstream.service_id: one.upstream for one in self._wanted.get(lane, ())}
            for number, load in enumerate(loads.values()):
                load.waiting += (count + number) // len(loads)
                self._told.append(load)

    def _clear_bookings(self) -> None:
        for load in self._booked:
            load.clear_bookings()
        self._booked.clear()

    def _clear(self) -> None:
        """Forget what was only of use while somebody waited."""
        self._clear_bookings()
        self._wanted.clear()
