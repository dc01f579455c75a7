"""The simulated world: a clock, engines, and gateways that hear of each other late."""

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from bench.replay.engines import NEVER, Engine, Request, Spec

AGE_S = 0.25  # of what is known of others, at most; at least half of that
LOOK_S = 0.1  # between looks at who waits, where news come at once


@dataclass(frozen=True, slots=True)
class Seen:
    """An engine as its node tells of it. held: tokens of its requests in its memory."""

    queue: int
    active: int
    held: int
    resident: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class News:
    """What control tells gateways. in_flight, reading_s: by gateway and engine."""

    in_flight: Sequence[Sequence[int]]
    reading_s: Sequence[Sequence[float]]
    engines: Sequence[Seen]


class Gateway(Protocol):
    """Decides where requests go, with `World.send`."""

    @property
    def waiting(self) -> int:
        """How many requests wait here."""

    def arrive(self, request: Request) -> None:
        """A request came."""

    def first(self, request: Request) -> None:
        """The first token of a request of this gateway came."""

    def done(self, request: Request) -> None:
        """A request of this gateway is over."""

    def heard(self) -> None:
        """Control told something new: `World.news`."""

    def look(self) -> None:
        """See whether one who waits may go."""


class World:
    """Engines and gateways over the time in which some requests come and are answered.

    age_s: of the oldest news; 0: all is known at once.
    """

    def __init__(
        self,
        fleet: Sequence[Spec],
        requests: Sequence[Request],
        made: "Made",
        gateways: int = 2,
        age_s: float = AGE_S,
        seed: int = 0,
    ) -> None:
        """made: makes the gateway of a number."""
        self.fleet, self.requests = fleet, requests
        self.engines = [Engine(number, spec) for number, spec in enumerate(fleet)]
        self.random = random.Random(seed * 7919 + 1)
        self.now = 0.0
        self.in_flight = [[0] * len(fleet) for _ in range(gateways)]
        self.reading_s = [[0.0] * len(fleet) for _ in range(gateways)]
        self._period = age_s / 2
        self._told = 0  # periods that are over
        self._looking = False
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._news = deque([self._taken()], maxlen=2)
        self.gateways = [made(self, number) for number in range(gateways)]

    @property
    def news(self) -> News:
        """What control told last: between half of the age and all of it old."""
        return self._news[0] if self._period else self._taken()

    def counts(self, gateway: int) -> list[float]:
        """Return the requests at each engine, as a gateway knows: its own, and what it heard."""
        return self._known(gateway, self.in_flight, self.news.in_flight)

    def readings_s(self, gateway: int) -> list[float]:
        """Return the seconds of prompts that each engine has to read, as a gateway knows."""
        return self._known(gateway, self.reading_s, self.news.reading_s)

    def send(self, request: Request, engine: int) -> None:
        """Send a request to the engine of a number."""
        request.engine, request.sent = engine, self.now
        self.in_flight[request.gateway][engine] += 1
        self.reading_s[request.gateway][engine] += request.reading_s
        self.engines[engine].take(request, self.now)
        self._expect(self.engines[engine])

    def soon(self, happen: Callable[[], None]) -> None:
        """Let something happen at this time, after what happens now."""
        self._at(self.now, happen)

    def run(self) -> None:
        """Let everything happen until all requests are answered."""
        for request in self.requests:
            self._at(request.at, partial(self._arrive, request))
        while self._events:
            at, _, happen = heapq.heappop(self._events)
            self.now = at
            self._pass_news()
            happen()
            if not self._looking and any(one.waiting for one in self.gateways):
                self._looking = True
                self._at(at + (self._period or LOOK_S), self._look)

    def _at(self, at: float, happen: Callable[[], None]) -> None:
        self._count += 1  # of two at the same time the one that was planned first
        heapq.heappush(self._events, (at, self._count, happen))

    def _arrive(self, request: Request) -> None:
        self.gateways[request.gateway].arrive(request)

    def _look(self) -> None:
        self._looking = False
        for gateway in self.gateways:
            gateway.look()

    def _expect(self, engine: Engine) -> None:
        engine.version += 1
        at = engine.next_event(self.now)
        if at < NEVER:
            self._at(at, partial(self._step, engine, engine.version))

    def _step(self, engine: Engine, version: int) -> None:
        if version != engine.version:
            return  # something came in between, and this is expected at another time
        firsts, done = engine.step(self.now)
        self._expect(engine)
        for request in firsts:
            self.reading_s[request.gateway][request.engine] -= request.reading_s
            self.gateways[request.gateway].first(request)
        for request in done:
            self.in_flight[request.gateway][request.engine] -= 1
            self.gateways[request.gateway].done(request)
        for request in done:
            self.gateways[request.gateway].look()

    def _pass_news(self) -> None:
        """Tell what control heard by now, before anything else happens."""
        if not self._period:
            for gateway in self.gateways:
                gateway.heard()
            return
        periods = int(self.now / self._period)
        if periods == self._told:
            return
        self._news.append(self._taken())
        if periods > self._told + 1:  # nothing happened for longer than news take
            self._news.append(self._news[-1])
        self._told = periods
        for gateway in self.gateways:
            gateway.heard()

    def _taken(self) -> News:
        return News(
            [list(one) for one in self.in_flight],
            [list(one) for one in self.reading_s],
            [
                Seen(len(one.queue), one.active, one.held_tokens, one.resident)
                for one in self.engines
            ],
        )

    def _known(
        self, gateway: int, own: Sequence[Sequence[float]], told: Sequence[Sequence[float]]
    ) -> list[float]:
        others = [one for number, one in enumerate(told) if number != gateway]
        return [
            mine + sum(other[engine] for other in others)
            for engine, mine in enumerate(own[gateway])
        ]


Made = Callable[[World, int], Gateway]
