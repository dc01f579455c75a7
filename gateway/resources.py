"""What control pushes for routing, read: checked, as plain values."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf, isfinite

import msgspec
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control.api.auth import KEY
from control.api.priorities import NUMBERS, Priority
from control.api.strategies import QueueSteps, Strategy
from gateway import shaping
from gateway.relay import Relay
from gateway.shaping import Shaper
from gateway.table import Patch, Unusable
from gateway.upstream import Origin

Operation = int  # a value of the enum of the contract

# The words that names of resources use.
WORDS: dict[Operation, str] = {
    number: name.removeprefix("OPERATION_").lower()
    for name, number in inventory.Operation.items()
    if number
}
OPERATIONS = {word: number for number, word in WORDS.items()}
STRATEGIES: dict[pb.Strategy, Strategy] = {
    pb.STRATEGY_UNSPECIFIED: Strategy.LEAST_LOADED,
    pb.STRATEGY_SCORED: Strategy.SCORED,
    pb.STRATEGY_ROUND_ROBIN: Strategy.ROUND_ROBIN,
    pb.STRATEGY_LEAST_LOADED: Strategy.LEAST_LOADED,
    pb.STRATEGY_POWER_OF_TWO: Strategy.POWER_OF_TWO,
    pb.STRATEGY_EXPECTED_COMPLETION: Strategy.EXPECTED_COMPLETION,
}
STRATEGY_VALUES = {strategy: number for number, strategy in STRATEGIES.items()}
SERVICE = "service/"
POLICY = "policy/"
ROOM = "room"

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_PLAIN = re.compile(r"[A-Za-z0-9._:@+/-]{1,200}")  # an id that a question can hold
_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)*")


@dataclass(frozen=True, slots=True)
class Service:
    """A service, as control pushed it."""

    service_id: str
    host_id: str
    origin: Origin
    concurrency: int  # requests it serves at the same time, 0 when unknown
    loaded_assets: int = 0  # in its memory


# A target may have 10,000 of these: a dataclass takes eight times as long to make.
class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A service and the asset of it that serves a target."""

    service_id: str
    asset_id: str
    score: float
    tier: int = 0  # lower ones serve before higher ones
    runtime: float = 0.0  # part of the score that waiting requests can cost
    policy_id: int = 0  # 0 for none
    absent: bool = False  # not in memory, and loaded when it is asked for


@dataclass(frozen=True, slots=True)
class Target:
    """What one name means for one operation. candidates: by service id."""

    operation: inventory.Operation
    name: str
    candidates: Mapping[str, Candidate]
    strategy: Strategy = Strategy.LEAST_LOADED
    is_role: bool = False
    stand_ins: tuple[str, ...] = ()  # roles that serve when no candidate can
    steps: QueueSteps = ()
    priority: Priority | None = None  # of requests that name none


@dataclass(frozen=True, slots=True)
class Policy:
    """A request policy that candidates refer to."""

    policy_id: int
    shaper: Shaper


@dataclass(frozen=True, slots=True)
class Waiting:
    """How requests wait for a service that is busy.

    on: in the gateway; else they are sent at once. priority: of requests for which nothing
    else is told. highest: that a request may name, where its key says nothing else.
    """

    on: bool = True
    priority: Priority = Priority.NORMAL
    highest: Priority = Priority.HIGH


Resource = Service | Target | Policy | Waiting


def read_resource(resource: pb.Resource) -> Resource | Patch[Resource]:
    """Return what a resource of the route table says.

    Raises:
        Unusable: it is not one of the route table, or a gateway cannot act on it.
    """
    found: Resource
    match resource.WhichOneof("body"):
        case "service":
            found = _service(resource.service)
            name = service_name(found.service_id)
        case "target":
            found = _target(resource.target)
            name = target_name(found.operation, found.name)
        case "policy":
            found = _policy(resource.policy)
            name = policy_name(found.policy_id)
        case "room":
            found = _waiting(resource.room)
            name = ROOM
        case "target_patch":
            return _patch(resource.target_patch)
        case other:
            raise Unusable(f"{other or 'an unknown kind'} has no place in the route table")
    # A name stands for one thing, so that what is told of it can be looked up by it.
    if resource.name != name:
        raise Unusable(f"the name should be {name!r}")
    return found


def _service(message: pb.RouteService) -> Service:
    endpoint = message.endpoint
    if not message.service_id:
        raise Unusable("the service has no id")
    if endpoint.scheme not in ("http", "https"):
        raise Unusable(f"scheme {endpoint.scheme!r} is neither http nor https")
    if _BASE_PATH.fullmatch(endpoint.base_path) is None:
        raise Unusable(f"base path {endpoint.base_path!r} is not a path")
    if message.api_key and KEY.fullmatch(message.api_key) is None:
        raise Unusable("no header can carry its API key")
    origin = Origin(
        *_place(endpoint.address),
        endpoint.base_path,
        endpoint.scheme == "https",
        endpoint.tls_name,
        message.api_key,
        _relay(endpoint, message.service_id),
    )
    return Service(
        message.service_id,
        message.host_id,
        origin,
        max(0, message.concurrency),
        max(0, message.loaded_asset_count),
    )


def _place(address: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found["port"]) < 65_536:
        raise Unusable(f"address {address!r} is not host:port")
    return found["host"].strip("[]"), int(found["port"])


def _relay(endpoint: inventory.Endpoint, service_id: str) -> Relay | None:
    if endpoint.kind == inventory.ENDPOINT_KIND_DIRECT:
        return None
    if endpoint.kind != inventory.ENDPOINT_KIND_NODE_RELAY:
        raise Unusable(f"endpoint kind {endpoint.kind} is not known to this gateway")
    if endpoint.scheme != "http":
        raise Unusable("only http goes through a relay")
    relay = endpoint.relay
    if KEY.fullmatch(relay.token) is None or _PLAIN.fullmatch(service_id) is None:
        raise Unusable("no header can carry its token, or no question its id")
    return Relay(*_place(relay.address), relay.token, relay.tls, relay.tls_name)


def _target(message: pb.Target) -> Target:
    if not message.name:
        raise Unusable("the target has no name")
    if message.operation not in WORDS:
        raise Unusable(f"operation {message.operation} is not known to this gateway")
    if message.strategy not in STRATEGIES:
        raise Unusable(f"strategy {message.strategy} is not known to this gateway")
    return Target(
        message.operation,
        message.name,
        _candidates(message.candidates),
        STRATEGIES[message.strategy],
        message.role,
        tuple(message.fallback_roles),
        _steps(message.queue_steps),
        NUMBERS.get(message.priority),
    )


def _candidates(messages: Iterable[pb.Candidate]) -> dict[str, Candidate]:
    found: dict[str, Candidate] = {}
    for one in messages:
        candidate = Candidate(
            one.service_id,
            one.asset_id,
            one.score,
            one.tier,
            one.runtime,
            one.policy_id,
            one.absent,
        )
        if not (candidate.service_id and candidate.asset_id):
            raise Unusable("a candidate needs a service and an asset")
        if not (isfinite(candidate.score) and 0 <= candidate.runtime < inf):
            raise Unusable("a candidate needs a score, and a runtime of 0 or more")
        found[candidate.service_id] = candidate
    return found


def _steps(messages: Iterable[pb.QueueStep]) -> QueueSteps:
    steps = tuple((one.queue_depth, one.penalty) for one in messages)
    if not all(0 <= penalty < inf for _, penalty in steps):
        raise Unusable("what waiting requests cost must be a number, 0 or more")
    return steps


def _waiting(message: pb.RoomSettings) -> Waiting:
    default = NUMBERS.get(message.priority, Priority.NORMAL)
    highest = NUMBERS.get(message.highest_priority, Priority.HIGH)
    return Waiting(message.waiting, default, highest)


def _policy(message: pb.RoutePolicy) -> Policy:
    if not message.policy_id:
        raise Unusable("the policy has no id")
    try:
        return Policy(message.policy_id, shaping.read(message.policy))
    except ValueError as error:
        raise Unusable(f"the policy cannot be applied: {error}") from error


def _patch(message: pb.TargetPatch) -> Patch[Resource]:
    upserts = _candidates(message.upserts)
    removed = frozenset(message.removed)
    if not removed.isdisjoint(upserts):
        raise Unusable("a candidate is both there and gone")

    def upon(base: Resource) -> Resource:
        if not isinstance(base, Target):
            raise Unusable("only a target can be patched")
        candidates = {**base.candidates, **upserts}
        for service_id in removed:
            candidates.pop(service_id, None)
        return replace(base, candidates=candidates)

    return Patch(message.base_hash, removed | upserts.keys(), upon)


def target_message(target: Target) -> pb.Resource:
    """Return the resource that `target` is read of; without a hash."""
    message = pb.Target(
        name=target.name,
        operation=target.operation,
        strategy=STRATEGY_VALUES[target.strategy],
        role=target.is_role,
        fallback_roles=target.stand_ins,
        queue_steps=[pb.QueueStep(queue_depth=depth, penalty=cost) for depth, cost in target.steps],
        priority=pb.Priority.Name(target.priority or 0),
    )
    for one in target.candidates.values():
        message.candidates.add(
            service_id=one.service_id,
            asset_id=one.asset_id,
            score=one.score,
            tier=one.tier,
            runtime=one.runtime,
            policy_id=one.policy_id,
            absent=one.absent,
        )
    return pb.Resource(name=target_name(target.operation, target.name), target=message)


def service_name(service_id: str) -> str:
    """Return the name of a service in the table."""
    return SERVICE + service_id


def target_name(operation: Operation, name: str) -> str:
    """Return the name of a target in the table."""
    return f"target/{WORDS[operation]}/{name}"


def policy_name(policy_id: int) -> str:
    """Return the name of a policy in the table."""
    return f"{POLICY}{policy_id:016x}"


def meant(name: str) -> tuple[Operation, str]:
    """Return operation and name of the target that `target_name` made a name of."""
    _, word, requested = name.split("/", 2)
    return OPERATIONS[word], requested
