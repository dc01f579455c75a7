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
class Contents:
    """The hash and the size of a set of choices, which follow each change of it."""

    hash: int = 0
    size: int = 0

    def with_choice(self, choice: Choice) -> "Contents":
        """Return the same with one choice more."""
        hashed, size = _hashed(choice)
        return Contents(self.hash ^ hashed, self.size + size)

    def without_choice(self, choice: Choice) -> "Contents":
        """Return the same with one choice less."""
        hashed, size = _hashed(choice)
        return Contents(self.hash ^ hashed, self.size - size)


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
        if isinstance(body, Target):
            contents = Contents()
            for choice in body.choices:
                contents = contents.with_choice(choice)
            return cls.of_target(name, body, contents)
        hashed, size = _hashed((name, body))
        return cls(name, body, hashed, size)

    @classmethod
    def of_target(cls, name: str, body: Target, contents: Contents) -> "Resource":
        """Return the same for a target of whose choices the `contents` are known already."""
        # Hashed once more: two targets that swap their choices are not the same table.
        hashed, size = _hashed((name, body.name, body.operation, contents))
        return cls(name, body, hashed, size + contents.size)


def _hashed(value: object) -> tuple[int, int]:
    """Return a hash of 64 bits, and at least the bytes that the value takes in a message."""
    # `repr` of frozen dataclasses of plain values is the same in every process,
    # and watchers only combine hashes, so no other encoding has to agree.
    text = repr(value).encode()
    # Field names and quotes in the text take more than tags and lengths in a message.
    return int.from_bytes(blake2b(text, digest_size=8).digest()), len(text)


def service_name(service_id: str) -> str:
    """Return the name of a service in the route table."""
    return f"service/{service_id}"


def target_name(operation: Operation, name: str) -> str:
    """Return the name of a target in the route table."""
    return f"target/{operation}/{name}"
