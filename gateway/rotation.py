"""Who may serve now: services that are not out of rotation, not resting, not full.

When nothing is wrong this costs one look at `quiet`. Else each route that is asked for is
narrowed to those who may serve, once, until something about one of its services changes.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from control.api.errors import AllBusy, NoHealthyRoute
from control.api.strategies import Strategy
from gateway.balance import USUAL, take
from gateway.breaker import NEVER, Breaker, Ejected, Random, State
from gateway.busy import busy
from gateway.config import Ejection
from gateway.load import Need
from gateway.narrowed import Narrowed, ids, narrowed
from gateway.residency import Residency
from gateway.route import Choice, Route

# Routes that are narrowed at a time: what is gone is forgotten with the others.
MAX_VIEWS = 1_024


class Occupied(Exception):
    """Those who would serve a request are busy, and one of them could be waited for.

    choices: who that is. wanted: the one that is waited for, where it is not any of them.
    """

    def __init__(self, choices: Sequence[Choice], wanted: Choice | None) -> None:
        super().__init__()
        self.choices = choices
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of a rotation; see `Rotation.take`."""

    tried: Collection[str]
    need: Need
    now: float
    spill: bool


class Rotation:
    """The breakers of all services, and what they leave of each route.

    quiet: every service is whole, so that there is nothing to ask here.
    """

    def __init__(
        self,
        rules: Ejection,
        random: Random,
        ejected: Callable[[str, str], None] = lambda service_id, reason: None,
        returned: Callable[[str], None] = lambda service_id: None,
    ) -> None:
        """ejected: called with each service that is taken out, and why; returned: with it later."""
        self.quiet = True
        self.residency = Residency()
        self._rules = rules
        self._random = random
        self._ejected = ejected
        self._returned = returned
        self._kept_out: set[str] = set()
        self._special: dict[str, Breaker] = {}  # those that are not whole, by service
        self._doubtful: dict[str, Breaker] = {}
        self._views: dict[Route, Narrowed] = {}
        self._wake = NEVER  # when time alone will change something

    def breaker(self, service_id: str) -> Breaker:
        """Return the breaker for a service: that of its life before, if that was not whole."""
        if (known := self._special.get(service_id)) is not None:
            return known
        breaker = Breaker(self._rules, self._random, lambda: self._changed(service_id, breaker))
        return breaker

    def take(
        self,
        routes: Iterable[Route],
        tried: Collection[str],
        now: float,
        need: Need = USUAL,
        *,
        spill: bool = True,
    ) -> tuple[Route, Choice]:
        """Return who serves a request next, and count it as in flight there.

        routes: all that may serve it, in order. tried: services that it was sent to before.
        now: seconds of the clock. need: what decides how long the request takes. spill: to
        whoever else is free, where those that come first are busy and could be waited for.

        Raises:
            Occupied: those that come first are busy.
            AllBusy: all have as much to do as they may.
            NoHealthyRoute: there is none.
        """
        if now >= self._wake:
            self.pass_time(now)
        if self.residency.switching:
            self.residency.pass_time(now)
        routes = [route for route in routes if route.choices]
        return self._take_carefully(routes, Asking(tried, need, now, spill))

    def is_whole(self, route: Route) -> bool:
        """Return whether nothing but load decides who serves `route`."""
        return self.quiet or self._view(route).whole is route

    def give_back(self, choice: Choice) -> None:
        """Take note that who took `choice` does not ask it."""
        upstream = choice.upstream
        upstream.in_flight -= 1
        if upstream.breaker.attentive:
            upstream.breaker.left(upstream.breaker.epoch)  # it may have been a trial

    def pass_time(self, now: float) -> None:
        """End what is over by now: rests, and the time in which services come back."""
        for breaker in tuple(self._special.values()):
            breaker.pass_time(now)
        self._wake = min((one.next_end for one in self._special.values()), default=NEVER)

    def due(self, now: float) -> list[tuple[str, Breaker]]:
        """Return the services, out or in doubt, that somebody should look at."""
        looked_at = chain(self._special.items(), self._doubtful.items())
        return list({name: one for name, one in looked_at if one.checkup_due(now)}.items())

    def ejections(self, now: float) -> dict[str, Ejected]:
        """Return the services that are out."""
        found = ((name, breaker.ejection(now)) for name, breaker in self._special.items())
        return {name: ejection for name, ejection in found if ejection is not None}

    @property
    def resting(self) -> int:
        """How many services say that they are busy."""
        return sum(breaker.rests_now for breaker in self._special.values())

    def out_for(self, routes: Iterable[Route], now: float) -> float | None:
        """Return in how many seconds the first service of `routes` is looked at again.

        None unless all of them are out.
        """
        if self.quiet:
            return None
        views = [self._view(route) for route in routes if route.choices]
        if any(view.whole.choices or view.coming or view.resting for view in views):
            return None
        out = (
            one.upstream.breaker.ejection(now)
            for view in views
            for one in (*view.failing, *view.silent)
        )
        return min((one.remaining for one in out if one is not None), default=None)

    def _changed(self, service_id: str, breaker: Breaker) -> None:
        if breaker.state is not State.IN:
            if service_id not in self._kept_out:
                self._kept_out.add(service_id)
                self._ejected(service_id, breaker.reason)
        elif service_id in self._kept_out:
            self._kept_out.remove(service_id)
            self._returned(service_id)
        if breaker.doubtful:
            self._doubtful[service_id] = breaker
        else:
            self._doubtful.pop(service_id, None)
        if breaker.whole:
            self._special.pop(service_id, None)
        else:
            self._special[service_id] = breaker
        self.quiet = not self._special
        self._views.clear()
        self._wake = min(self._wake, breaker.next_end)

    def _take_carefully(self, routes: Iterable[Route], asking: Asking) -> tuple[Route, Choice]:
        views = [self._view(route) for route in routes]
        ways = (self._in_rotation, self._resting, self._on_trial, self._out)
        for way in ways[:-1] if asking.tried else ways:
            for view in views:
                if (choice := way(view, asking)) is not None:
                    return view.route, choice
        if not asking.spill:
            self._wait_for_resting(views, asking)
        raise self._nobody(views, asking)

    def _view(self, route: Route) -> Narrowed:
        view = self._views.get(route)
        if view is None or view.pool is not route.pool:
            view = narrowed(route, self._special, self._rules.panic)
            if not self.quiet:  # or routes would be held here long after they are gone
                if len(self._views) >= MAX_VIEWS:
                    self._views.clear()
                self._views[route] = view
        return view

    def _in_rotation(self, view: Narrowed, asking: Asking) -> Choice | None:
        """Take one of those in rotation, or try one that may come back to them.

        Raises:
            Occupied: none of them is free, and one could be waited for.
        """
        left, wide = view.left, view.wide
        if tried := asking.tried:
            left = view.whole.without(tried)
            wide = wide.without({*tried, *ids(view.failing)}) if view.coming else left
        trial = None if tried else self._on_trial(view, asking, _tier(wide))
        if trial is not None:
            return trial
        left, wide = self.residency.left_of(left), self.residency.left_of(wide)
        for _ in range(2):
            if not wide.choices:
                return None
            choice = self._take_or_leave(left, wide, asking)
            if choice.upstream.fits:
                return choice
            choice.upstream.in_flight -= 1
            waits = choice.upstream.gated and not asking.spill
            if waits and wide.strategy is Strategy.EXPECTED_COMPLETION:
                raise Occupied(wide.pool, choice)  # whoever else is free
            free = [one for one in (wide.pool if waits else wide.choices) if _free(one, ())]
            if waits and not free:
                raise Occupied(wide.pool, None)
            left = left.only([one for one in left.choices if _free(one, ())])
            wide = wide.only(free)
        if waits:  # a sibling was quicker, twice
            raise Occupied(wide.pool, None)
        return None

    def _take_or_leave(self, left: Route, wide: Route, asking: Asking) -> Choice:
        """Take one of `wide`; of those that come back only for a part of the requests.

        Who has nothing to do yet would else get all there is, and fall again.
        """
        choice = take(wide, self._random, asking.need, asking.now)
        breaker = choice.upstream.breaker
        if not breaker.ramps or _tier(left) > choice.tier:  # who is alone serves at once
            return choice
        other = take(left, self._random, asking.need, asking.now)
        share = breaker.share(asking.now)
        held = choice.upstream.in_flight - 1
        if self._random() < share and held < share * other.upstream.in_flight:
            choice, other = other, choice
        choice.upstream.in_flight -= 1
        return other

    def _resting(self, view: Narrowed, asking: Asking) -> Choice | None:
        return self._one_of(view, view.resting, asking)

    def _wait_for_resting(self, views: Iterable[Narrowed], asking: Asking) -> None:
        """Let who finds nobody else wait for services that are busy, as they said themselves.

        Raises:
            Occupied: there is one.
        """
        for view in views:
            left = [one for one in view.resting if one.upstream.service_id not in asking.tried]
            if left and left[0].upstream.gated:
                raise Occupied(left, None)

    def _on_trial(self, view: Narrowed, asking: Asking, tier: float = NEVER) -> Choice | None:
        """Take one whose turn it is to be tried. tier: of who would serve else."""
        for one in view.triable:
            if one.tier <= tier and _free(one, asking.tried):
                one.upstream.in_flight += 1
                one.upstream.breaker.try_now(asking.now)
                return one
        return None

    def _out(self, view: Narrowed, asking: Asking) -> Choice | None:
        """Take one that is out: nobody else is there, and it may have recovered.

        Who is silent holds up who asks it, so that only one does.
        """
        if view.whole.choices or view.coming or view.resting:
            return None
        if (choice := self._one_of(view, view.failing, asking)) is not None:
            return choice
        for one in view.silent:
            if one.upstream.breaker.state is State.OUT and _free(one, asking.tried):
                one.upstream.in_flight += 1
                one.upstream.breaker.try_now(asking.now)
                return one
        return None

    def _one_of(self, view: Narrowed, choices: Iterable[Choice], asking: Asking) -> Choice | None:
        free = [one for one in choices if _free(one, asking.tried)]
        if not free:
            return None
        return take(view.route.only(free), self._random, asking.need, asking.now)

    def _nobody(self, views: Iterable[Narrowed], asking: Asking) -> AllBusy | NoHealthyRoute:
        for view in views:
            there = (*view.whole.choices, *view.coming, *view.resting)
            if left := [one for one in there if one.upstream.service_id not in asking.tried]:
                return busy(left, _inside(left), retry_s=1.0)
        out = [one.upstream for view in views for one in (*view.failing, *view.silent)]
        found = {one.service_id: one.breaker.ejection(asking.now) for one in out}
        ejections = [(e.remaining, name, e.reason) for name, e in found.items() if e is not None]
        if not ejections:
            return NoHealthyRoute("no service can serve it now", retry_after=2)
        soonest, name, reason = min(ejections)
        return NoHealthyRoute(
            f"no service can serve it now; {name} is out of rotation ({reason})",
            retry_after=max(1, math.ceil(soonest)),
        )


def _tier(route: Route) -> float:
    return route.pool[0].tier if route.pool else NEVER


def _free(choice: Choice, tried: Collection[str]) -> bool:
    """Return whether a service was not asked and may take one more."""
    upstream = choice.upstream
    return upstream.service_id not in tried and upstream.takes_one


def _inside(choices: Iterable[Choice]) -> int:
    """Return how many requests wait inside the services, where it is known how many do not."""
    upstreams = {one.upstream.service_id: one.upstream for one in choices}.values()
    if not all(one.concurrency for one in upstreams):
        return 0
    return max(0, sum(one.in_flight - one.concurrency for one in upstreams))
