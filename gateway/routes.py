"""The route table as requests need it: one dictionary look-up from a name to its candidates."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

import msgspec
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control.api.errors import ModelNotFound, NoHealthyRoute, NotReady, OperationMismatch
from gateway.table import Replica, Unusable
from gateway.upstream import Origin, Upstream

Operation = int  # a value of the enum of the contract

MAX_NAME = 256
MAX_COMPARED = 200  # names; to find the nearest of them takes 5 ms

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})")
_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)*")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Service:
    """A service, as control pushed it."""

    service_id: str
    host_id: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Candidate:
    """A service and the asset of it that serves a target."""

    service_id: str
    asset_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Target:
    """What one name means for one operation; candidates best first."""

    operation: Operation
    name: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Choice:
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


def read_resource(resource: pb.Resource) -> Service | Target:
    """Return what a resource of the route table says.

    Raises:
        Unusable: it is not one of the route table, or a gateway cannot act on it.
    """
    match resource.WhichOneof("body"):
        case "service":
            return _service(resource.service)
        case "target":
            return _target(resource.target)
        case other:
            raise Unusable(f"{other or 'an unknown kind'} has no place in the route table")


def _service(message: pb.RouteService) -> Service:
    endpoint = message.endpoint
    address = _ADDRESS.fullmatch(endpoint.address)
    if not message.service_id:
        raise Unusable("the service has no id")
    if endpoint.scheme not in ("http", "https"):
        raise Unusable(f"scheme {endpoint.scheme!r} is neither http nor https")
    if address is None or not 0 < int(address["port"]) < 65_536:
        raise Unusable(f"address {endpoint.address!r} is not host:port")
    if _BASE_PATH.fullmatch(endpoint.base_path) is None:
        raise Unusable(f"base path {endpoint.base_path!r} is not a path")
    if endpoint.kind != inventory.ENDPOINT_KIND_DIRECT:
        raise Unusable(f"endpoint kind {endpoint.kind} is not known to this gateway")
    origin = Origin(
        address["host"].strip("[]"),
        int(address["port"]),
        endpoint.base_path,
        endpoint.scheme == "https",
        endpoint.tls_name,
    )
    return Service(message.service_id, message.host_id, origin)


def _target(message: pb.Target) -> Target:
    if not message.name:
        raise Unusable("the target has no name")
    if message.operation not in inventory.Operation.values() or not message.operation:
        raise Unusable(f"operation {message.operation} is not known to this gateway")
    candidates = []
    for one in message.candidates:
        if not (one.service_id and one.asset_id) or one.score != one.score:
            raise Unusable("a candidate needs a service, an asset and a score")
        candidates.append(Candidate(one.service_id, one.asset_id, one.score))
    return Target(message.operation, message.name, tuple(candidates))


class Routes:
    """Resolves names, and owns the upstreams that the table mentions."""

    def __init__(self, open_upstream: Callable[[str, Origin], Upstream]) -> None:
        self._open = open_upstream
        self._routes: dict[Operation, dict[str, Route]] | None = None
        self.upstreams: dict[str, Upstream] = {}
        # Gone from the table and still busy: a service that returns is as busy as it was.
        self._leaving: dict[str, Upstream] = {}

    @property
    def ready(self) -> bool:
        """Whether a table has arrived."""
        return self._routes is not None

    def resolve(self, operation: Operation, name: str) -> Route:
        """Return the route of `name`; it has at least one choice.

        Raises:
            NotReady: no table has arrived yet.
            ModelNotFound: nobody knows the name.
            OperationMismatch: the name serves other operations only.
            NoHealthyRoute: the name is known, and nothing can serve it now.
        """
        if self._routes is None:
            raise NotReady("the gateway has not received routes from control yet")
        route = self._routes[operation].get(name)
        if route is None:
            raise self._unknown(operation, name)
        if not route.choices:
            raise NoHealthyRoute(f"no healthy service has {name!r} now", retry_after=2)
        return route

    def models(self) -> dict[str, list[str]]:
        """Return the services of each asset that can be asked for now, by name."""
        found: dict[str, list[str]] = {}
        for routes in (self._routes or {}).values():
            for name, route in routes.items():
                services = [choice.upstream.service_id for choice in route.choices]
                if services and name not in self.upstreams:
                    found[name] = sorted({*found.get(name, ()), *services})
        return found

    def set_elsewhere(self, loads: Mapping[str, int]) -> None:
        """Take `loads` as what other gateways and the engines' own queues hold, by service."""
        for service_id, upstream in self.upstreams.items():
            upstream.elsewhere = loads.get(service_id, 0)

    def busy(self) -> Iterable[Upstream]:
        """Return all upstreams that may have requests in flight."""
        return (*self.upstreams.values(), *self._leaving.values())

    def replace(self, table: Replica[Service | Target]) -> None:
        """Resolve by `table` from now on. In-flight counts live on."""
        resources = table.carried | table.current
        carried = {
            resource.service_id
            for name, resource in table.carried.items()
            if isinstance(resource, Service) and name not in table.current
        }
        self._keep_upstreams(
            {one.service_id: one for one in resources.values() if isinstance(one, Service)}
        )
        routes: dict[Operation, dict[str, Route]] = {
            operation: {} for operation in inventory.Operation.values()
        }
        for name, target in resources.items():
            if isinstance(target, Target):
                candidates = target.candidates
                earlier = table.carried.get(name)
                if isinstance(earlier, Target) and earlier is not target:
                    # Their services have not been heard of in this life of control.
                    candidates += tuple(c for c in earlier.candidates if c.service_id in carried)
                routes[target.operation][target.name] = self._route(target.name, candidates)
        self._routes = routes

    def _keep_upstreams(self, services: Mapping[str, Service]) -> None:
        for service_id in self.upstreams.keys() - services.keys():
            self._leaving[service_id] = self.upstreams.pop(service_id)
            self._leaving[service_id].retire()
        for service_id, service in services.items():
            upstream = self.upstreams.get(service_id) or self._leaving.pop(service_id, None)
            if upstream is None:
                upstream = self._open(service_id, service.origin)
            elif upstream.origin != service.origin:
                upstream.move(service.origin)
            upstream.host_id = service.host_id
            self.upstreams[service_id] = upstream
        self._leaving = {one.service_id: one for one in self._leaving.values() if one.in_flight}

    def _route(self, name: str, candidates: tuple[Candidate, ...]) -> Route:
        known = [one for one in candidates if one.service_id in self.upstreams]
        ordered = sorted(known, key=lambda one: (-one.score, one.service_id, one.asset_id))
        choices = tuple(self._choice(name, one) for one in ordered)
        equals = sum(one.score == ordered[0].score for one in ordered)
        return Route(choices, choices[:equals])

    def _choice(self, name: str, candidate: Candidate) -> Choice:
        upstream = self.upstreams[candidate.service_id]
        head = (
            f"x-geniehive-route: {_in_header(name)}\r\n"
            f"x-geniehive-service: {_in_header(candidate.service_id)}\r\n"
            f"x-geniehive-host: {_in_header(upstream.host_id)}\r\n"
        )
        return Choice(upstream, _encode(candidate.asset_id), head.encode())

    def _unknown(self, operation: Operation, name: str) -> ModelNotFound | OperationMismatch:
        assert self._routes is not None
        for other, routes in self._routes.items():
            if name in routes:
                verb = inventory.Operation.Name(other).removeprefix("OPERATION_").lower()
                return OperationMismatch(f"{shown(name)} serves {verb} only", param="model")
        known = self._routes[operation]
        similar = difflib.get_close_matches(name[:MAX_NAME], list(islice(known, MAX_COMPARED)), n=3)
        hint = f"; similar: {', '.join(similar)}" if similar else ""
        return ModelNotFound(
            f"no model or role {shown(name)}{hint}; all: GET /v1/models", param="model"
        )


def shown(name: str) -> str:
    """Return `name` for a message: quoted, harmless to a terminal, not too long."""
    short = name if len(name) <= 80 else f"{name[:77]}..."
    return '"' + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short) + '"'


def _in_header(text: str) -> str:
    # RFC 9110, 5.5: values are visible ASCII; ids may be more than that.
    return quote(text, safe="/:@!$&'()*+,;=?#[]{}|^`<> ").strip()
