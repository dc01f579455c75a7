"""What a table holds: small immutable resources, each with a name and a hash of its content."""

from dataclasses import dataclass
from hashlib import blake2b

from control.inventory import Endpoint, Operation


@dataclass(frozen=True, slots=True)
class RouteService:
    """What a gateway needs to call a service."""

    service_id: str
    host_id: str
    endpoint: Endpoint
    concurrency: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One service and asset of a target."""

    service_id: str
    asset_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Target:
    """What one name means for one operation; no choices when nobody can serve it now."""

    name: str
    operation: Operation
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A client key, as a hash."""

    principal_id: str
    key_hash: bytes


@dataclass(frozen=True, slots=True)
class KeySettings:
    """How client keys are checked."""

    required: bool
    hash_secret: bytes


Body = RouteService | Target | ClientKey | KeySettings


@dataclass(frozen=True, slots=True)
class Resource:
    """An entry of a table."""

    name: str
    body: Body
    hash: int  # 64 bits
    size: int  # bytes, at least what it takes in a message

    @classmethod
    def of(cls, name: str, body: Body) -> "Resource":
        """Return a resource with the hash and the size of its name and content."""
        # `repr` of frozen dataclasses of plain values is the same in every process,
        # and watchers only combine hashes, so no other encoding has to agree.
        text = f"{name}\0{body!r}".encode()
        digest = blake2b(text, digest_size=8).digest()
        # Field names and quotes in the text take more than tags and lengths in a message.
        return cls(name, body, int.from_bytes(digest), len(text))


def service_name(service_id: str) -> str:
    """Return the name of a service in the route table."""
    return f"service/{service_id}"


def target_name(operation: Operation, name: str) -> str:
    """Return the name of a target in the route table."""
    return f"target/{operation}/{name}"
