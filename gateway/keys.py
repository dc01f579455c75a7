"""Who a client is, by the key it presents."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from geniehive.v1 import routing_service_pb2 as pb

from control.api.errors import AuthUnavailable, ConflictingCredentials, InvalidApiKey
from control.api.priorities import AS_OTHERS, NUMBERS, Standing
from gateway.table import Unusable

ANONYMOUS = "anonymous"
MAX_VERIFIED = 10_000
CLOSED = (
    "this gateway is open to the network and no client keys are set; set"
    " auth.client_api_keys on control, or start the gateway with --insecure"
)


@dataclass(frozen=True, slots=True)
class Key:
    """A client key, as its hash."""

    principal: str
    key_hash: bytes
    standing: Standing = AS_OTHERS


class Credential:
    """A key as a client presents it, with what it is looked up by."""

    __slots__ = ("digest", "key")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.digest = hashlib.sha256(key).digest()


@dataclass(frozen=True, slots=True)
class Settings:
    """How keys are checked."""

    required: bool
    hash_secret: bytes


def read_resource(resource: pb.Resource) -> Key | Settings:
    """Return what a resource of the key table says.

    Raises:
        Unusable: it is not one of the key table, or says nothing.
    """
    match resource.WhichOneof("body"):
        case "key":
            if len(resource.key.key_hash) != 32 or not resource.key.principal_id:
                raise Unusable("a key needs a principal and a hash of 32 bytes")
            return Key(resource.key.principal_id, resource.key.key_hash, _standing(resource.key))
        case "settings":
            if resource.settings.required and len(resource.settings.hash_secret) < 32:
                raise Unusable("the hash secret is shorter than 32 bytes")
            return Settings(resource.settings.required, resource.settings.hash_secret)
        case other:
            raise Unusable(f"{other or 'an unknown kind'} has no place in the key table")


def _standing(message: pb.ClientKey) -> Standing:
    # Whatever a later control knows must lock nobody out.
    return Standing(NUMBERS.get(message.priority), NUMBERS.get(message.highest_priority))


@dataclass(slots=True)
class KeyRing:
    """The keys that are good now. Until control told, nobody can be judged."""

    settings: Settings | None = None
    may_be_open: bool = True  # or keys must be required, because others reach this machine
    _by_hash: dict[bytes, str] = field(default_factory=dict)
    _standings: dict[str, Standing] = field(default_factory=dict)  # of principals that have any
    # By the full digest: a shortened one would let two keys meet.
    _verified: dict[bytes, str] = field(default_factory=dict)

    def replace(self, resources: Mapping[str, Key | Settings]) -> None:
        """Judge by `resources` from now on."""
        keys = [one for one in resources.values() if isinstance(one, Key)]
        self._by_hash = {one.key_hash: one.principal for one in keys}
        self._standings = {one.principal: one.standing for one in keys if one.standing != AS_OTHERS}
        self.settings = next(
            (one for one in resources.values() if isinstance(one, Settings)), self.settings
        )
        self._verified = {}

    @property
    def closed(self) -> bool:
        """Whether nobody may enter, whatever the key: none are set where there must be some."""
        return self.settings is not None and not (self.settings.required or self.may_be_open)

    def standing(self, principal: str) -> Standing:
        """Return what holds for the requests of a principal."""
        return self._standings.get(principal, AS_OTHERS)

    def principal(self, credential: Credential | None) -> str:
        """Return whom `credential` belongs to.

        Raises:
            InvalidApiKey: a key is required, and this is none of them.
            AuthUnavailable: control has not told yet which keys are good.
        """
        settings = self.settings
        if settings is None:
            raise AuthUnavailable("the gateway has not learned from control yet who may enter")
        if not settings.required:
            if not self.may_be_open:
                raise AuthUnavailable(CLOSED)
            return ANONYMOUS
        if credential is None:
            raise InvalidApiKey("an API key is required: Authorization: Bearer KEY, or X-Api-Key")
        found = self._verified.get(credential.digest)
        if found is not None:
            return found
        found = self._by_hash.get(hmac.digest(settings.hash_secret, credential.key, "sha256"))
        if found is None:
            raise InvalidApiKey(f"key {shown(credential.key)} is not known here")
        if len(self._verified) >= MAX_VERIFIED:
            self._verified.clear()
        self._verified[credential.digest] = found
        return found


def presented(headers: Iterable[tuple[bytes, bytes]]) -> Credential | None:
    """Return the key in the headers that may carry one, or None. Names are lower case.

    Raises:
        ConflictingCredentials: two headers carry different keys.
    """
    found = None
    for name, value in headers:
        if name == b"authorization":
            key = value[7:].strip() if value[:7].lower() == b"bearer " else b""
        elif name == b"x-api-key":
            key = value
        else:
            continue
        if found and key and key != found:
            raise ConflictingCredentials("the request carries two different keys; send one")
        found = key or found
    return Credential(found) if found else None


def shown(key: bytes) -> str:
    """Return enough of `key` to recognise it, and not enough to use it."""
    if len(key) < 16:
        return "given"
    start = "".join(chr(byte) if 0x21 <= byte < 0x7F else "?" for byte in key[:7])
    return f"{start}..."
