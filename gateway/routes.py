"""The route table as requests need it: one dictionary look-up from a name to its choices."""

import difflib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, islice
from urllib.parse import quote

import msgspec
from geniehive.v1 import inventory_pb2 as inventory

from control.api.errors import (
    GenieHiveError,
    ModelNotFound,
    NoHealthyRoute,
    NotReady,
    OperationMismatch,
)
from control.api.names import untagged
from gateway.candidates import Candidates, Table
from gateway.load import Elsewhere
from gateway.rates import Learned, Rates
from gateway.resources import (
    POLICY,
    ROOM,
    SERVICE,
    WORDS,
    Candidate,
    Policy,
    Service,
    Target,
    Waiting,
    meant,
    policy_name,
)
from gateway.resources import Operation as Operation  # whoever resolves needs it
from gateway.route import Choice, Route
from gateway.shaping import Shaper
from gateway.steps import Steps
from gateway.upstream import Origin, Upstream

MAX_NAME = 256
MAX_COMPARED = 200  # names; to find the nearest of them takes 5 ms

_encode = msgspec.json.Encoder().encode

_IDLE = Elsewhere()
# Until control tells how requests wait, which one of an older version never does.
DIRECT = Waiting(on=False)
# A route is made anew when so large a part of it changes, one in so many.
_MANY = 8

Names = Mapping[str, Collection[str] | None]  # of resources, and what parts of them; None: all


class Routes:
    """Resolves names, and owns the upstreams that the table mentions.

    A table is followed name by name, and where control tells it, part by part. A route is
    never half made while somebody looks: requests are served all the time in between.
    """

    def __init__(
        self,
        open_upstream: Callable[[str, Origin], Upstream],
        rates: Callable[[str, str], Rates] | None = None,
    ) -> None:
        """rates: how fast a service works with an asset."""
        self._open = open_upstream
        self._rates = rates or Learned().rates
        self.waiting = DIRECT  # how requests wait for services that are busy
        self.ready = False  # whether a table, or its first part, has arrived
        self._settled = False  # whether a name that is not there is unknown to all
        self.changes = 0  # counts steps of following: what was made at the same count is the same
        self.upstreams: dict[str, Upstream] = {}
        self._elsewhere: Mapping[str, Elsewhere] = {}  # what was told last, by service
        self._routes: dict[Operation, dict[str, Route]] = {one: {} for one in WORDS}
        # Gone from the table and still busy: a service that returns is as busy as it was.
        self._leaving: dict[str, Upstream] = {}
        # Lines of an answer's head that name the service and its host, by service.
        self._heads: dict[str, bytes] = {}
        self._shapers: dict[str, Shaper] = {}  # by the name of the policy's resource
        # Services that have not been heard of in this life of control.
        self._carried: set[str] = set()
        # Services that each target mentions, known or not, and the other way round.
        self._mentions: dict[str, set[str]] = {}
        self._mentioned: defaultdict[str, set[str]] = defaultdict(set)
        # Targets, and which of their services, that cannot be used without a policy.
        self._wanting: defaultdict[str, dict[str, set[str]]] = defaultdict(dict)
        # Names that are still to be followed, and what parts of them; in order.
        self._waiting: dict[str, set[str] | None] = {}

    def resolve(self, operation: Operation, name: str) -> Route:
        """Return the route that serves `name`, its own or a stand-in; it has a choice.

        Raises:
            NotReady: no table has arrived yet, or nobody knows the name so far.
            ModelNotFound: nobody knows the name.
            OperationMismatch: the name serves other operations only.
            NoHealthyRoute: the name is known, and nothing can serve it now.
        """
        route = self._routes[operation].get(name)
        if route is not None and route.choices:
            return route
        if route is None:
            if (plain := self._plain(name)) == name:
                raise self._unknown(operation, name)
            return self.resolve(operation, plain)
        for other in self.succession(operation, name):
            if other.choices:
                return other
        raise _unserved(name)

    def succession(self, operation: Operation, name: str) -> Iterator[Route]:
        """Yield the routes that may serve `name`, one after the other has failed."""
        routes = self._routes[operation]
        if (route := routes.get(name) or routes.get(self._plain(name))) is not None:
            yield route
            yield from (routes[other] for other in route.stand_ins if other in routes)

    def _is_known(self, name: str) -> bool:
        return any(name in routes for routes in self._routes.values())

    def _plain(self, name: str) -> str:
        """Return `name`, or without `:latest` when that alone is known, for whatever operation."""
        plain = untagged(name)
        return plain if self._is_known(plain) and not self._is_known(name) else name

    def names(self) -> list[str]:
        """Return all names of roles, assets and services, sorted; some may have nobody now."""
        return sorted({*chain(*self._routes.values())})

    def is_role(self, name: str) -> bool:
        """Return whether `name` is that of a role."""
        return any(name in routes and routes[name].is_role for routes in self._routes.values())

    def serving(self, name: str) -> list[str]:
        """Return the services that `name` can be asked of now, whatever for, sorted."""
        known = (route for one in self._routes for route in self.succession(one, name))
        return sorted({choice.upstream.service_id for route in known for choice in route.choices})

    def services(self, name: str) -> list[str]:
        """Return the services that `name` can be asked of now, at least one.

        Raises:
            NotReady, ModelNotFound, NoHealthyRoute: as `resolve`.
        """
        if not self._is_known(self._plain(name)):
            raise self._unknown(inventory.OPERATION_CHAT, name)
        if not (found := self.serving(name)):
            raise _unserved(name)
        return found

    def set_elsewhere(self, loads: Mapping[str, Elsewhere]) -> None:
        """Take what is told of services, by service; of the others nothing is."""
        before, self._elsewhere = self._elsewhere, loads
        # Of most of 10,000 services nothing is told, four times a second.
        for service_id in before.keys() | loads.keys():
            if (upstream := self.upstreams.get(service_id)) is not None:
                upstream.hear(loads.get(service_id, _IDLE))

    def busy(self) -> Iterable[Upstream]:
        """Return all upstreams that may have requests in flight."""
        return (*self.upstreams.values(), *self._leaving.values())

    def follow(self, table: Table, names: Names) -> Steps[None]:
        """Resolve `names` of resources by `table` from now on, in steps. In-flight counts live on.

        Steps that are not taken are taken with the next names.
        """
        for name, parts in names.items():
            self._wait(name, parts)
        return self._follow(table)

    def _wait(self, name: str, parts: Collection[str] | None) -> None:
        held = self._waiting.setdefault(name, set())
        if parts is None:
            self._waiting[name] = None
        elif held is not None:
            held.update(parts)

    def _follow(self, table: Table) -> Steps[None]:
        # 1. Upstreams and policies, so that they are there for each candidate.
        if ROOM in self._waiting:
            del self._waiting[ROOM]
            self._follow_room(table)
        for name in [name for name in self._waiting if name.startswith((SERVICE, POLICY))]:
            del self._waiting[name]
            if name.startswith(SERVICE):
                self._follow_service(table, name)
            else:
                self._follow_policy(table, name)
            self.changes += 1
            yield
        # 2. Routes, until none leads to what is leaving.
        while self._waiting:
            name, parts = self._waiting.popitem()
            self._follow_target(table, name, parts)
            self.changes += 1
            yield
        # 3. What is left over.
        for service_id, upstream in list(self._leaving.items()):
            upstream.retire()
            if not upstream.in_flight:
                del self._leaving[service_id]
        if table.settled and not self._settled:
            # Until now services that control had not heard of may have needed them.
            for gone in self._shapers.keys() - table.current.keys():
                del self._shapers[gone]
        # What was carried over from a file was whole when it was written.
        self._settled = table.settled or table.identity is None
        self.ready = True

    def _follow_room(self, table: Table) -> None:
        told = table.current.get(ROOM) or table.carried.get(ROOM)
        self.waiting = told if isinstance(told, Waiting) else DIRECT
        for upstream in self.busy():
            upstream.gated = self.waiting.on

    def _follow_service(self, table: Table, name: str) -> None:
        service_id = name.removeprefix(SERVICE)
        if self._changes_routes(table, name, service_id):
            for target in self._mentioned.get(service_id, ()):
                self._wait(target, (service_id,))

    def _changes_routes(self, table: Table, name: str, service_id: str) -> bool:
        """Follow one service; return whether routes that mention it are others now."""
        service = table.current.get(name) or table.carried.get(name)
        upstream = self.upstreams.get(service_id)
        if not isinstance(service, Service):
            self._carried.discard(service_id)
            if upstream is None:
                return False
            self._leaving[service_id] = self.upstreams.pop(service_id)
            del self._heads[service_id]
            return True
        carried = name not in table.current
        changed = carried != (service_id in self._carried)
        (self._carried.add if carried else self._carried.discard)(service_id)
        if upstream is None:
            upstream = self._leaving.pop(service_id, None)
            upstream = upstream or self._open(service_id, service.origin)
            upstream.gated = self.waiting.on
            upstream.hear(self._elsewhere.get(service_id, _IDLE))
            self.upstreams[service_id] = upstream
            changed = True
        if upstream.origin != service.origin:
            upstream.move(service.origin)
        upstream.host_id = service.host_id
        upstream.loaded_assets = service.loaded_assets
        upstream.resize(service.concurrency)
        head = _head(service=service_id, host=service.host_id)
        changed = changed or head != self._heads.get(service_id)
        self._heads[service_id] = head
        return changed

    def _follow_policy(self, table: Table, name: str) -> None:
        policy = table.current.get(name) or table.carried.get(name)
        if isinstance(policy, Policy):
            self._shapers[name] = policy.shaper
            for target, services in self._wanting.pop(name, {}).items():
                self._wait(target, services)
        elif table.settled:
            # Choices that were made with it keep it.
            self._shapers.pop(name, None)
            self._wanting.pop(name, None)

    def _follow_target(self, table: Table, name: str, parts: set[str] | None) -> None:
        target = table.current.get(name) or table.carried.get(name)
        if not isinstance(target, Target):
            if name in self._mentions:
                self._forget(name)
            return
        candidates = Candidates(table, name, target, self._carried)
        route = self._routes[target.operation].get(target.name)
        if route is None or parts is None or len(parts) * _MANY > len(route.choices):
            self._mention(name, candidates.mentioned())
            self._routes[target.operation][target.name] = self._filled(
                route or Route(), name, target, candidates
            )
            return
        head = _head(route=target.name)
        choices: dict[str, Choice | None] = {}
        for service_id in parts:
            self._mention_one(name, service_id, mentioned=candidates.mention(service_id))
            candidate = candidates.of(service_id)
            choices[service_id] = (
                self._choice(name, head, candidate) if candidate is not None else None
            )
        route.change(choices)

    def _filled(self, route: Route, name: str, target: Target, candidates: Candidates) -> Route:
        route.strategy, route.steps = target.strategy, target.steps
        route.stand_ins, route.is_role = target.stand_ins, target.is_role
        route.priority = target.priority
        head = _head(route=target.name)
        choices = (self._choice(name, head, one) for one in candidates.all())
        route.fill(choice for choice in choices if choice is not None)
        return route

    def _choice(self, name: str, head: bytes, candidate: Candidate) -> Choice | None:
        """Return the choice that `candidate` of the target `name` makes, if it can be used."""
        service_id = candidate.service_id
        if (upstream := self.upstreams.get(service_id)) is None:
            return None
        shaper = None
        if candidate.policy_id:
            policy = policy_name(candidate.policy_id)
            if (shaper := self._shapers.get(policy)) is None:
                self._wanting[policy].setdefault(name, set()).add(service_id)
                return None
        asset = _encode(candidate.asset_id)
        switch = upstream.switch
        if switch is not None and switch.asset == asset and not candidate.absent:
            switch.known = True
        return Choice(
            upstream,
            asset,
            head + self._heads[service_id] + _asset_head(candidate.asset_id),
            candidate.score,
            candidate.tier,
            candidate.runtime,
            shaper,
            self._rates(service_id, candidate.asset_id),
            candidate.absent,
        )

    def _forget(self, name: str) -> None:
        self._mention(name, set())
        del self._mentions[name]
        operation, requested = meant(name)
        del self._routes[operation][requested]

    def _mention(self, name: str, services: set[str]) -> None:
        """Note which services the target `name` is about."""
        before = self._mentions.setdefault(name, set())
        for service_id in before ^ services:
            self._mention_one(name, service_id, mentioned=service_id in services)

    def _mention_one(self, name: str, service_id: str, *, mentioned: bool) -> None:
        if mentioned:
            self._mentions[name].add(service_id)
            self._mentioned[service_id].add(name)
            return
        self._mentions[name].discard(service_id)
        if (names := self._mentioned.get(service_id)) is not None:
            names.discard(name)
            if not names:
                del self._mentioned[service_id]

    def _unknown(self, operation: Operation, name: str) -> GenieHiveError:
        if not self.ready:
            return NotReady("the gateway has not received routes from control yet")
        for other, routes in self._routes.items():
            if name in routes:
                only = f"{shown(name)} serves {WORDS[other]} only"
                return OperationMismatch(only, param="model")
        known = self._routes[operation]
        similar = difflib.get_close_matches(name[:MAX_NAME], list(islice(known, MAX_COMPARED)), n=3)
        hint = f"; similar: {', '.join(similar)}" if similar else ""
        if not self._settled:
            return NotReady(
                f"no model or role {shown(name)} is known yet; control has just started and waits"
                f" for its hosts{hint}; known so far: GET /v1/models"
            )
        return ModelNotFound(
            f"no model or role {shown(name)}{hint}; all: GET /v1/models", param="model"
        )


def shown(name: str) -> str:
    """Return `name` for a message: quoted, harmless to a terminal, not too long."""
    short = name if len(name) <= 80 else f"{name[:77]}..."
    return '"' + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short) + '"'


def _unserved(name: str) -> NoHealthyRoute:
    return NoHealthyRoute(
        f"no service can serve {shown(name)} now",
        retry_after=2,
        see=f"geniehive route explain {shown(name)}",
    )


def _head(**values: str) -> bytes:
    """Return header lines of an answer."""
    lines = (f"x-geniehive-{name}: {_in_header(value)}\r\n" for name, value in values.items())
    return "".join(lines).encode()


@lru_cache(maxsize=4_096)
def _asset_head(asset_id: str) -> bytes:
    return _head(asset=asset_id)


def _in_header(text: str) -> str:
    # RFC 9110, 5.5: values are visible ASCII; ids may be more than that.
    return quote(text, safe="/:@!$&'()*+,;=?#[]{}|^`<> ").strip()
