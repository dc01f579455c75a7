"""The route table as requests need it: one dictionary look-up from a name to its candidates."""

import difflib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
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
from gateway.resources import (
    SERVICE,
    WORDS,
    Candidate,
    Service,
    Target,
    meant,
    ranked,
)
from gateway.resources import Operation as Operation  # whoever resolves needs it
from gateway.steps import Steps
from gateway.table import Replica
from gateway.upstream import Origin, Upstream

MAX_NAME = 256
MAX_COMPARED = 200  # names; to find the nearest of them takes 5 ms

_encode = msgspec.json.Encoder().encode


# Made as often as `Candidate`, and as cheaply; what it holds never refers to it.
class Choice(msgspec.Struct, frozen=True, gc=False):
    """A candidate, ready to be called."""

    upstream: Upstream
    asset: bytes  # as a JSON string, quotes included
    head: bytes  # the answer's header lines that name route, service and host


@dataclass(frozen=True, slots=True)
class Route:
    """All that can serve one name, best first; `equals` are the first ones, alike in score."""

    choices: tuple[Choice, ...]
    equals: tuple[Choice, ...]


def load(choice: Choice) -> int:
    """Return the requests under way or waiting at the service of `choice`."""
    upstream = choice.upstream
    return upstream.in_flight + upstream.elsewhere


Table = Replica[Service | Target]


class Routes:
    """Resolves names, and owns the upstreams that the table mentions.

    A table is followed name by name. Each route is made anew and then put in place
    of the old one, so that requests are served all the time in between.
    """

    def __init__(self, open_upstream: Callable[[str, Origin], Upstream]) -> None:
        self._open = open_upstream
        self.ready = False  # whether a table, or its first part, has arrived
        self._settled = False  # whether a name that is not there is unknown to all
        self.changes = 0  # counts steps of following: what was made at the same count is the same
        self.upstreams: dict[str, Upstream] = {}
        self._routes: dict[Operation, dict[str, Route]] = {one: {} for one in WORDS}
        # Gone from the table and still busy: a service that returns is as busy as it was.
        self._leaving: dict[str, Upstream] = {}
        # Lines of an answer's head that name the service and its host, by service.
        self._heads: dict[str, bytes] = {}
        # Services that have not been heard of in this life of control.
        self._carried: set[str] = set()
        # Services that each target mentions, known or not, and the other way round.
        self._mentions: dict[str, frozenset[str]] = {}
        self._mentioned: defaultdict[str, set[str]] = defaultdict(set)
        # Names that are still to be followed; a set that keeps its order.
        self._waiting: dict[str, None] = {}

    def resolve(self, operation: Operation, name: str) -> Route:
        """Return the route of `name`; it has at least one choice.

        Raises:
            NotReady: no table has arrived yet, or nobody knows the name so far.
            ModelNotFound: nobody knows the name.
            OperationMismatch: the name serves other operations only.
            NoHealthyRoute: the name is known, and nothing can serve it now.
        """
        route = self._routes[operation].get(name)
        if route is None:
            raise self._unknown(operation, name)
        if not route.choices:
            raise NoHealthyRoute(f"no healthy service has {name!r} now", retry_after=2)
        return route

    def models(self) -> list[str]:
        """Return the names of all assets, sorted; not all of them can be asked for now."""
        return sorted({*chain(*self._routes.values())} - self.upstreams.keys())

    def serving(self, name: str) -> list[str]:
        """Return the services that `name` can be asked of now, whatever for, sorted."""
        known = [routes[name] for routes in self._routes.values() if name in routes]
        return sorted({choice.upstream.service_id for route in known for choice in route.choices})

    def services(self, name: str) -> list[str]:
        """Return the services that `name` can be asked of now, at least one.

        Raises:
            NotReady, ModelNotFound, NoHealthyRoute: as `resolve`.
        """
        if not any(name in routes for routes in self._routes.values()):
            raise self._unknown(inventory.OPERATION_CHAT, name)
        if not (found := self.serving(name)):
            raise NoHealthyRoute(f"no healthy service has {name!r} now", retry_after=2)
        return found

    def set_elsewhere(self, loads: Mapping[str, int]) -> None:
        """Take `loads` as what other gateways and the engines' own queues hold, by service."""
        for service_id, upstream in self.upstreams.items():
            upstream.elsewhere = loads.get(service_id, 0)

    def busy(self) -> Iterable[Upstream]:
        """Return all upstreams that may have requests in flight."""
        return (*self.upstreams.values(), *self._leaving.values())

    def follow(self, table: Table, names: Collection[str]) -> Steps[None]:
        """Resolve `names` of resources by `table` from now on, in steps. In-flight counts live on.

        Steps that are not taken are taken with the next names.
        """
        self._waiting |= dict.fromkeys(names)
        return self._follow(table)

    def _follow(self, table: Table) -> Steps[None]:
        # 1. Upstreams, so that there is one for each candidate.
        for name in [name for name in self._waiting if name.startswith(SERVICE)]:
            self._waiting.pop(name, None)
            if self._follow_service(table, name):
                self._waiting |= dict.fromkeys(self._mentioned.get(name.removeprefix(SERVICE), ()))
            self.changes += 1
            yield
        # 2. Routes, until none leads to what is leaving.
        while self._waiting:
            name, _ = self._waiting.popitem()
            self._follow_target(table, name)
            self.changes += 1
            yield
        # 3. What is left over.
        for service_id, upstream in list(self._leaving.items()):
            upstream.retire()
            if not upstream.in_flight:
                del self._leaving[service_id]
        # What was carried over from a file was whole when it was written.
        self._settled = table.settled or table.identity is None
        self.ready = True

    def _follow_service(self, table: Table, name: str) -> bool:
        """Follow one service; return whether routes that mention it are others now."""
        service_id = name.removeprefix(SERVICE)
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
            self.upstreams[service_id] = upstream
            changed = True
        if upstream.origin != service.origin:
            upstream.move(service.origin)
        upstream.host_id = service.host_id
        head = _head(service=service_id, host=service.host_id)
        changed = changed or head != self._heads.get(service_id)
        self._heads[service_id] = head
        return changed

    def _follow_target(self, table: Table, name: str) -> None:
        current, carried = table.current.get(name), table.carried.get(name)
        target = current or carried
        if not isinstance(target, Target):
            if name in self._mentions:
                self._forget(name)
            return
        candidates = target.candidates
        mentions = {one.service_id for one in candidates}
        if isinstance(carried, Target) and carried is not target:
            mentions.update(one.service_id for one in carried.candidates)
            candidates = _joined(
                candidates, (one for one in carried.candidates if one.service_id in self._carried)
            )
        self._mention(name, frozenset(mentions))
        self._routes[target.operation][target.name] = self._route(target.name, candidates)

    def _forget(self, name: str) -> None:
        self._mention(name, frozenset())
        del self._mentions[name]
        operation, requested = meant(name)
        del self._routes[operation][requested]

    def _mention(self, name: str, services: frozenset[str]) -> None:
        """Note which services the target `name` is about."""
        before = self._mentions.get(name, frozenset())
        self._mentions[name] = services
        for service_id in before - services:
            self._mentioned[service_id].discard(name)
            if not self._mentioned[service_id]:
                del self._mentioned[service_id]
        for service_id in services - before:
            self._mentioned[service_id].add(name)

    def _route(self, name: str, candidates: Iterable[Candidate]) -> Route:
        known = [one for one in candidates if one.service_id in self.upstreams]
        head = _head(route=name)
        choices = tuple(self._choice(head, one) for one in known)
        equals = sum(one.score == known[0].score for one in known)
        return Route(choices, choices[:equals])

    def _choice(self, head: bytes, candidate: Candidate) -> Choice:
        service_id = candidate.service_id
        return Choice(
            self.upstreams[service_id],
            _encode(candidate.asset_id),
            head + self._heads[service_id],
        )

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


def _joined(first: Iterable[Candidate], others: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return both, best first; of two for the same, the one in `first`."""
    found = {(one.service_id, one.asset_id): one for one in first}
    for other in others:
        found.setdefault((other.service_id, other.asset_id), other)
    return ranked(found.values())


def _head(**values: str) -> bytes:
    """Return header lines of an answer."""
    lines = (f"x-geniehive-{name}: {_in_header(value)}\r\n" for name, value in values.items())
    return "".join(lines).encode()


def _in_header(text: str) -> str:
    # RFC 9110, 5.5: values are visible ASCII; ids may be more than that.
    return quote(text, safe="/:@!$&'()*+,;=?#[]{}|^`<> ").strip()
