"""What control pushes for routing, read: checked, as plain values."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan

import msgspec
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from gateway.table import Unusable
from gateway.upstream import Origin

Operation = int  # a value of the enum of the contract

# The words that names of resources use.
WORDS: dict[Operation, str] = {
    number: name.removeprefix("OPERATION_").lower()
    for name, number in inventory.Operation.items()
    if number
}
OPERATIONS = {word: number for number, word in WORDS.items()}
SERVICE = "service/"

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)*")


@dataclass(frozen=True, slots=True)
class Service:
    """A service, as control pushed it."""

    service_id: str
    host_id: str
    origin: Origin


# A target may have 10,000 of these: a dataclass takes eight times as long to make.
class Candidate(msgspec.Struct, frozen=True, gc=False):
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


def read_resource(resource: pb.Resource) -> Service | Target:
    """Return what a resource of the route table says.

    Raises:
        Unusable: it is not one of the route table, or a gateway cannot act on it.
    """
    found: Service | Target
    match resource.WhichOneof("body"):
        case "service":
            found = _service(resource.service)
            name = service_name(found.service_id)
        case "target":
            found = _target(resource.target)
            name = target_name(found.operation, found.name)
        case other:
            raise Unusable(f"{other or 'an unknown kind'} has no place in the route table")
    # A name stands for one thing, so that what is told of it can be looked up by it.
    if resource.name != name:
        raise Unusable(f"the name should be {name!r}")
    return found


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
    if message.operation not in WORDS:
        raise Unusable(f"operation {message.operation} is not known to this gateway")
    candidates = []
    for one in message.candidates:
        candidate = Candidate(one.service_id, one.asset_id, one.score)
        if not (candidate.service_id and candidate.asset_id) or isnan(candidate.score):
            raise Unusable("a candidate needs a service, an asset and a score")
        candidates.append(candidate)
    return Target(message.operation, message.name, ranked(candidates))


def service_name(service_id: str) -> str:
    """Return the name of a service in the table."""
    return SERVICE + service_id


def target_name(operation: Operation, name: str) -> str:
    """Return the name of a target in the table."""
    return f"target/{WORDS[operation]}/{name}"


def meant(name: str) -> tuple[Operation, str]:
    """Return operation and name of the target that `target_name` made a name of."""
    _, word, requested = name.split("/", 2)
    return OPERATIONS[word], requested


def ranked(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return `candidates` best first."""
    return tuple(sorted(candidates, key=lambda one: (-one.score, one.service_id, one.asset_id)))
