"""Our gateway in the simulated world: its real decisions, without its sockets.

Who waits, who goes where, and what is learned on the way is decided by the code that gateways
run: room, rotation, balance, rates, capacities. What stands in for the rest is here: requests
and services without connections, and the world's clock.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import cast

import msgspec
from geniehive.v1 import inventory_pb2 as inventory

from bench.replay.engines import Request, Spec, models
from bench.replay.published import STEPS, Bands
from bench.replay.world import World
from bench.replay.wrong import RIGHT, Wrong
from control.api.errors import GenieHiveError
from control.api.priorities import Priority
from control.api.strategies import Strategy
from gateway.config import Ejection, Limits
from gateway.load import Elsewhere, Load, Need
from gateway.rates import Learned, Rates
from gateway.reasoning import Usage
from gateway.room import Room
from gateway.rotation import Rotation
from gateway.route import Choice, Route
from gateway.sample import Sample, is_telling, reading_s
from gateway.upstream import Upstream

BYTES_PER_TOKEN = 4  # of the bodies that are simulated
PATIENCE_S = 3_600.0  # that a request may take, as gateways have it
Standing = tuple[tuple[int, ...], float]

OPERATION = int(inventory.OPERATION_CHAT)


@dataclass(frozen=True, slots=True)
class Ours:
    """How our gateways are set.

    room: whether requests wait for a free slot. wrong: what they believe that is not so.
    reported: whether nodes tell the slots of their engines. limit: who may wait.
    """

    strategy: Strategy = Strategy.EXPECTED_COMPLETION
    room: bool = True
    wrong: Wrong = RIGHT
    reported: bool = True
    limit: int = 1_000

    def gateway(self, world: World, number: int) -> "OurGateway":
        """Return the gateway of a number."""
        return OurGateway(self, world, number)


class _Service(Load):
    """A service that has a breaker, as the rotation wants one, and no connection."""

    def __init__(self, service_id: str, rotation: Rotation) -> None:
        super().__init__(service_id, Limits())
        self.breaker = rotation.breaker(service_id)


class _Waiter:
    """A request on its way through one gateway."""

    def __init__(self, request: Request, gateway: "OurGateway") -> None:
        self.request = request
        self.lane = (OPERATION, _name(request.model))
        self.principal = ""
        self.priority = Priority.NORMAL
        self.need = Need(request.prompt * BYTES_PER_TOKEN, 0, request.at)
        self.until = request.at + PATIENCE_S
        self.sample: Sample | None = None  # if it is measured
        self._gateway = gateway

    def routes(self) -> Iterable[Route]:
        return (self._gateway.routes[self.request.model],)

    def tried(self) -> Collection[str]:
        return ()

    def go(self, route: Route, choice: Choice) -> None:
        self._gateway.send(self, route, choice)

    def fail(self, error: Exception) -> None:
        self._gateway.refuse(self.request)


class OurGateway:
    """One of our gateways: a `Gateway` of the world."""

    def __init__(self, ours: Ours, world: World, number: int) -> None:
        self.refused = 0
        self._ours, self._world, self._number = ours, world, number
        self._rotation = Rotation(Ejection(), world.random.random)
        self._room = Room(self._rotation, ours.limit, lambda: world.now, world.soon)
        self._learned = Learned()
        self._sent: dict[int, tuple[_Waiter, Choice]] = {}  # by number of the request
        self.loads = [self._load(spec) for spec in world.fleet]
        self._bands = Bands(len(world.fleet))
        self._told: list[Standing] = []
        self.routes: dict[int, Route] = {}  # by model
        self._fill()

    def _load(self, spec: Spec) -> Load:
        load = _Service(spec.name, self._rotation)
        load.resize(self._ours.wrong.slots(spec.slots) if self._ours.reported else 0)
        load.gated = self._ours.room
        return load

    @property
    def waiting(self) -> int:
        """How many requests wait here."""
        return self._room.waiting

    # From the world.

    def arrive(self, request: Request) -> None:
        """Send it, let it wait, or refuse it."""
        waiter, now = _Waiter(request, self), self._world.now
        try:
            if self._ours.room:
                found = self._room.take(waiter, now)
            else:
                found = self._rotation.take(waiter.routes(), waiter.tried(), now, waiter.need)
        except GenieHiveError:
            self.refuse(request)
            return
        if found is not None:
            self.send(waiter, *found)

    def first(self, request: Request) -> None:
        """Give back what it had to read, and learn how long that took."""
        waiter, choice = self._sent[request.number]
        if request.reading_s:
            choice.upstream.read(-request.reading_s)
        if waiter.sample is not None:
            waiter.sample.started(self._room.residency, self._world.now)
        self._room.poke()

    def done(self, request: Request) -> None:
        """Give back its slot, and learn how fast it was written."""
        waiter, choice = self._sent.pop(request.number)
        if (sample := waiter.sample) is not None:
            sample.events = request.answer
            first_s, usage = request.first - request.sent, Usage(request.prompt, request.answer)
            sample.answered(self._room.residency, first_s, usage, self._world.now)
        choice.upstream.in_flight -= 1
        self._room.poke()
        if self._ours.strategy is Strategy.SCORED:
            self._bands.learn(request)

    def heard(self) -> None:
        """Take what the others do, what waits inside engines, and which models they hold."""
        news = self._world.news
        for number, (load, seen) in enumerate(zip(self.loads, news.engines, strict=True)):
            others = [one for one in range(len(news.in_flight)) if one != self._number]
            in_flight = sum(news.in_flight[one][number] for one in others)
            pending_s = sum(news.reading_s[one][number] for one in others)
            load.hear(Elsewhere(in_flight, seen.queue, pending_s))
        if self._standings() != self._told:
            self._fill()
        self._room.poke()

    def look(self) -> None:
        """See whether one who waits may go."""
        self._room.poke()

    # From the room.

    def send(self, waiter: _Waiter, route: Route, choice: Choice) -> None:
        """Send a request to `choice`, where it is counted in flight already."""
        request, load, size = waiter.request, choice.upstream, waiter.need.size
        request.reading_s = reading_s(choice, size)
        if request.reading_s or is_telling(choice, self._world.now):
            waiter.sample = Sample(choice, size, self._world.now)
        if request.reading_s:
            load.read(request.reading_s)
        route.asked(choice)
        self._sent[request.number] = waiter, choice
        self._world.send(request, self.loads.index(load))

    def refuse(self, request: Request) -> None:
        """Answer that all are busy."""
        request.refused = True
        self.refused += 1

    def _standings(self) -> list["Standing"]:
        """Return what control tells of each engine now: models in memory, and its score."""
        return [
            (one.resident, self._bands.score(number, resident=True))
            for number, one in enumerate(self._world.news.engines)
        ]

    def _fill(self) -> None:
        """Make the routes of what control tells."""
        self._told = self._standings()
        for load, (resident, _) in zip(self.loads, self._told, strict=True):
            load.loaded_assets = len(resident)
            if load.switch is not None:
                load.switch.known = any(load.switch.asset == _asset(one) for one in resident)
        for model in range(models(self._world.fleet)):
            route = self.routes.setdefault(model, Route())
            route.strategy, route.steps = self._ours.strategy, STEPS
            route.fill(self._choice(number, model) for number in range(len(self.loads)))

    def _choice(self, number: int, model: int) -> Choice:
        load, (resident, score) = self.loads[number], self._told[number]
        right = self._learned.rates(load.service_id, _name(model))
        return Choice(
            # No part of what decides looks at more of an upstream than its load and breaker.
            upstream=cast(Upstream, load),
            asset=_asset(model),
            head=b"",
            score=score,
            tier=0,
            runtime=score,
            shaper=None,
            rates=cast(Rates, self._ours.wrong.rates(right, number)),
            absent=model not in resident,
        )


def _name(model: int) -> str:
    return f"model-{model}"


def _asset(model: int) -> bytes:
    return msgspec.json.encode(_name(model))
