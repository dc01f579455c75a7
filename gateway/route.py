"""One name of the route table: who can serve it, always in order."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from control.api.priorities import Priority
from control.api.strategies import QueueSteps, Strategy
from gateway.body import Body
from gateway.rates import Rates
from gateway.shaping import Shaper
from gateway.upstream import Upstream


# A route may have 10,000 of these: a dataclass takes eight times as long to make.
class Choice(msgspec.Struct, frozen=True, gc=False):  # what it holds never refers to it
    """A candidate, ready to be called."""

    upstream: Upstream
    asset: bytes  # as a JSON string, quotes included
    head: bytes  # the answer's header lines that name route, service, host and asset
    score: float
    tier: int  # lower ones serve before higher ones
    runtime: float  # part of the score that waiting requests can cost
    shaper: Shaper | None
    rates: Rates
    absent: bool = False  # its service has to load the asset, maybe in the place of another

    def shaped(self, body: Body) -> bytes:
        """Return `body` as the service gets it.

        Raises:
            InvalidValue: what the client sent does not fit to the policy that applies.
        """
        if self.shaper is None or self.shaper.splices:
            return body.with_model(self.asset)
        return self.shaper.shaped(body.raw, self.asset)

    def strips(self, *, default: bool) -> bool:
        """Return whether hidden reasoning is removed. default: where no policy says so."""
        told = self.shaper.strip if self.shaper is not None else None
        return default if told is None else told


def order(choice: Choice) -> tuple[int, float, str, bytes]:
    """Return a key that sorts best first."""
    return choice.tier, -choice.score, choice.upstream.service_id, choice.asset


def _tier(choice: Choice) -> int:
    return choice.tier


def _service_id(choice: Choice) -> str:
    return choice.upstream.service_id


class Route:
    """All that can serve one name, best first, a service once. What serves next: `balance`.

    pool: the choices of the best tier, among which the strategy decides. stand_ins: names
    of routes that serve when no choice does. priority: of requests that name none. absent: how
    many of the choices have to load their asset first.
    """

    __slots__ = (
        "_held",
        "_last_asked",
        "_ring",
        "absent",
        "choices",
        "is_role",
        "pool",
        "priority",
        "stand_ins",
        "steps",
        "strategy",
    )

    def __init__(self) -> None:
        self.strategy = Strategy.LEAST_LOADED
        self.steps: QueueSteps = ()
        self.stand_ins: tuple[str, ...] = ()
        self.is_role = False
        self.priority: Priority | None = None
        self.choices: list[Choice] = []
        self.absent = 0
        self.pool: Sequence[Choice] = ()
        self._held: dict[str, Choice] = {}
        self._last_asked: dict[int, str] = {}  # service by tier
        self._ring: list[Choice] | None = None  # the pool by service id, when it was asked for

    def fill(self, choices: Iterable[Choice]) -> None:
        """Hold `choices` and no others."""
        self._held = {choice.upstream.service_id: choice for choice in choices}
        self.choices = sorted(self._held.values(), key=order)
        self.absent = sum(one.absent for one in self.choices)
        self._renew_pool()

    def change(self, choices: Mapping[str, Choice | None]) -> None:
        """Hold each of `choices` for its service, None for none at all."""
        for service_id, choice in choices.items():
            if (held := self._held.pop(service_id, None)) is not None:
                del self.choices[bisect_left(self.choices, order(held), key=order)]
                self.absent -= held.absent
            if choice is not None:
                self._held[service_id] = choice
                insort(self.choices, choice, key=order)
                self.absent += choice.absent
        self._renew_pool()

    def of(self, service_id: str) -> Choice | None:
        """Return the choice that leads to a service, if one does."""
        return self._held.get(service_id)

    def without(self, services: Collection[str]) -> "Route":
        """Return what is left of the route without some services: to take a choice from."""
        return self.only([one for one in self.choices if one.upstream.service_id not in services])

    def only(self, choices: list[Choice]) -> "Route":
        """Return the route with no other than some of its choices, in order."""
        left = Route()
        left.strategy, left.steps, left._last_asked = self.strategy, self.steps, self._last_asked
        left.choices = choices
        left.absent = sum(one.absent for one in choices) if self.absent else 0
        left._renew_pool()
        return left

    def next_in_turn(self) -> Choice:
        """Return who comes after the last one asked, in the order of service ids.

        So a service that comes or goes, and a change of scores, take nobody's turn away.
        """
        if self._ring is None:
            self._ring = sorted(self.pool, key=_service_id)
        last = self._last_asked.get(self._ring[0].tier, "")
        return self._ring[bisect_right(self._ring, last, key=_service_id) % len(self._ring)]

    def asked(self, choice: Choice) -> None:
        """Take note that `choice` was asked: turns go on from there."""
        self._last_asked[choice.tier] = choice.upstream.service_id

    def _renew_pool(self) -> None:
        end = bisect_right(self.choices, self.choices[0].tier, key=_tier) if self.choices else 0
        self.pool = self.choices[:end]
        self._ring = None
