"""What a table holds: small immutable resources, each with a name and a hash of its content."""

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from struct import Struct

from control.api.priorities import AS_OTHERS, Priority, Standing
from control.api.strategies import Strategy
from control.inventory import Endpoint, Operation, RequestPolicy
from control.policy.effective import policy_id
from control.ranking.candidates import Candidate

# Tags and lengths of a candidate in a message, and the rest of its numbers.
_CANDIDATE_BYTES = 16
# The same for a target, or a patch of one, beside its candidates.
_TARGET_BYTES = 64
_NAME_BYTES = 8

ROOM = "room"  # what the settings of it are called in the route table


@dataclass(frozen=True, slots=True)
class RouteService:
    """What a gateway needs to call a service."""

    service_id: str
    host_id: str
    endpoint: Endpoint
    concurrency: int
    loaded_assets: int = 0  # in its memory, if it loads on request
    api_key: str = field(default="", repr=False)  # the engine's own; empty when it needs none


@dataclass(frozen=True, slots=True)
class Dispatch:
    """How requests for a target find one of those who can serve it.

    role: whether the name is that of a role. stand_ins: roles that serve when nobody
    here can, in this order. queue_steps: see `strategies.live_score`. priority: of
    requests that name none.
    """

    strategy: Strategy = Strategy.LEAST_LOADED
    role: bool = False
    stand_ins: tuple[str, ...] = ()
    queue_steps: tuple[tuple[int, float], ...] = ()
    priority: Priority | None = None


BY_LOAD = Dispatch()


@dataclass(frozen=True, slots=True)
class Target:
    """What one name means for one operation; no candidates when nobody can serve it now."""

    name: str
    operation: Operation
    candidates: tuple[Candidate, ...]  # best first, each service once
    dispatch: Dispatch = BY_LOAD


@dataclass(frozen=True, slots=True)
class TargetPatch:
    """What makes a target of the one with the hash `base_hash`.

    upserts: candidates that are new or others. removed: services that are none any more.
    """

    base_hash: int
    upserts: tuple[Candidate, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """A request policy that candidates refer to by its id."""

    policy_id: int
    policy: RequestPolicy


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """How requests wait for services that are busy; see `Waiting`, of which keys are apart."""

    waiting: bool
    priority: Priority
    highest: Priority


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A client key, as a hash, and the priority of its requests."""

    principal_id: str
    key_hash: bytes
    standing: Standing = AS_OTHERS


@dataclass(frozen=True, slots=True)
class KeySettings:
    """How client keys are checked."""

    required: bool
    hash_secret: bytes


Body = RouteService | Target | TargetPatch | RoutePolicy | RoomSettings | ClientKey | KeySettings


@dataclass(frozen=True, slots=True)
class Resource:
    """An entry of a table.

    patch: the same for whoever holds the version before it, told by what changed; None
    where that is hardly shorter.
    """

    name: str
    body: Body
    hash: int  # 64 bits
    size: int  # bytes, at least what it takes in a message
    patch: "Resource | None" = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, name: str, body: Body) -> "Resource":
        """Return a resource with the hash and the size of its name and content."""
        if isinstance(body, Target):
            return cls.of_target(name, body, Contents(body.candidates))
        # What `repr` does not show is hashed, too: with another key it is another service.
        secrets = (body.api_key, body.endpoint.token) if isinstance(body, RouteService) else ()
        hashed, size = _hashed((name, body, *secrets))
        return cls(name, body, hashed, size)

    @classmethod
    def of_target(
        cls, name: str, body: Target, contents: "Contents", patch: TargetPatch | None = None
    ) -> "Resource":
        """Return the same for a target whose `contents` are known, and maybe a patch to it."""
        dispatch_hash, dispatch_size = _dispatch_hashed(body.dispatch)
        # Hashed once more: two targets that swap their candidates are not the same table.
        text = f"{name}\n{body.name}\n{body.operation}\n{dispatch_hash}\n{contents.hash}".encode()
        hashed = _hash(text)
        size = len(text) + _TARGET_BYTES + dispatch_size + contents.size
        if patch is None or 2 * (patch_size := _patch_size(name, patch)) > size:
            return cls(name, body, hashed, size)
        return cls(name, body, hashed, size, cls(name, patch, hashed, patch_size))


class Contents:
    """The hash and the size of a set of candidates, which follow each change of it."""

    __slots__ = ("hash", "size")

    def __init__(self, candidates: tuple[Candidate, ...] = ()) -> None:
        self.hash = 0  # of 64 bits, 0 for none
        self.size = 0  # bytes, at least what they take in a message
        for candidate in candidates:
            self.add(candidate)

    def add(self, candidate: Candidate) -> None:
        """Take over a candidate that is not there."""
        hashed, size = _candidate_hashed(candidate)
        self.hash ^= hashed
        self.size += size

    def remove(self, candidate: Candidate) -> None:
        """Drop a candidate that is there."""
        hashed, size = _candidate_hashed(candidate)
        self.hash ^= hashed
        self.size -= size


def service_name(service_id: str) -> str:
    """Return the name of a service in the route table."""
    return f"service/{service_id}"


def target_name(operation: Operation, name: str) -> str:
    """Return the name of a target in the route table."""
    return f"target/{operation}/{name}"


def policy_name(policy: RequestPolicy) -> str:
    """Return the name of a request policy in the route table."""
    return f"policy/{policy_id(policy):016x}"


def _patch_size(name: str, patch: TargetPatch) -> int:
    names = [name, *patch.removed]
    for candidate in patch.upserts:
        names += candidate.service_id, candidate.asset_id
    numbers = (_NUMBERS.size + _CANDIDATE_BYTES) * len(patch.upserts)
    return _TARGET_BYTES + numbers + sum(len(one.encode()) + _NAME_BYTES for one in names)


_NUMBERS = Struct("<ddqQ?")


def _candidate_hashed(candidate: Candidate) -> tuple[int, int]:
    # What is told of it and nothing else; made for every change of a large table, so not
    # by `_hashed`, which takes twice as long. No id has a line's end in it.
    policy = candidate.policy
    text = f"{candidate.service_id}\n{candidate.asset_id}".encode() + _NUMBERS.pack(
        candidate.score,
        candidate.runtime,
        candidate.tier,
        policy_id(policy) if policy else 0,
        candidate.absent,
    )
    return _hash(text), len(text) + _CANDIDATE_BYTES


# Mostly all targets that are no roles have the same, and so have many roles.
@lru_cache(1_000)
def _dispatch_hashed(dispatch: Dispatch) -> tuple[int, int]:
    return _hashed(dispatch)


def _hashed(value: object) -> tuple[int, int]:
    """Return a hash of 64 bits, and at least the bytes that the value takes in a message."""
    # `repr` of frozen dataclasses of plain values is the same in every process,
    # and watchers only combine hashes, so no other encoding has to agree.
    text = repr(value).encode()
    # Field names and quotes in the text take more than tags and lengths in a message.
    return _hash(text), len(text)


def _hash(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest())
