"""One name of the route table: who can serve it, always in order."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence

import msgspec

from control.api.strategies import QueueSteps, Strategy
from gateway.shaping import Shaper
from gateway.upstream import Upstream


# A route may have 10,000 of these: a dataclass takes eight times as long to make.
class Choice(msgspec.Struct, frozen=True, gc=False):  # what it holds never refers to it
    """A candidate, ready to be called."""

    upstream: Upstream
    asset: bytes  # as a JSON string, quotes included
    head: bytes  # the answer's header lines that name route, service and host
    score: float
    tier: int  # lower ones serve before higher ones
    runtime: float  # part of the score that waiting requests can cost
    shaper: Shaper | None


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
    of routes that serve when no choice does. turn: counts dispatches by `round_robin`.
    """

    __slots__ = (
        "_held",
        "_ring",
        "choices",
        "is_role",
        "pool",
        "stand_ins",
        "steps",
        "strategy",
        "turn",
    )

    def __init__(self) -> None:
        self.strategy = Strategy.LEAST_LOADED
        self.steps: QueueSteps = ()
        self.stand_ins: tuple[str, ...] = ()
        self.is_role = False
        self.turn = 0
        self.choices: list[Choice] = []
        self.pool: Sequence[Choice] = ()
        self._held: dict[str, Choice] = {}
        self._ring: list[Choice] | None = None  # the pool by service id, when it was asked for

    def fill(self, choices: Iterable[Choice]) -> None:
        """Hold `choices` and no others."""
        self._held = {choice.upstream.service_id: choice for choice in choices}
        self.choices = sorted(self._held.values(), key=order)
        self._renew_pool()

    def put(self, service_id: str, choice: Choice | None) -> None:
        """Hold `choice` for a service, None for none at all."""
        if (held := self._held.pop(service_id, None)) is not None:
            del self.choices[bisect_left(self.choices, order(held), key=order)]
        if choice is not None:
            self._held[service_id] = choice
            insort(self.choices, choice, key=order)
        self._renew_pool()

    def next_in_turn(self) -> Choice:
        """Return who comes next, in the order of service ids; a change of scores changes none."""
        if self._ring is None:
            self._ring = sorted(self.pool, key=_service_id)
        choice = self._ring[self.turn % len(self._ring)]
        self.turn += 1
        return choice

    def _renew_pool(self) -> None:
        end = bisect_right(self.choices, self.choices[0].tier, key=_tier) if self.choices else 0
        self.pool = self.choices[:end]
        self._ring = None
