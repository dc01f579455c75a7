"""Who calls: from the keys in a call's metadata to a principal with rights."""

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from control.api.auth import METADATA_KEY, known
from control.api.errors import Forbidden, Unauthenticated
from control.key_hashes import key_hash, principal_id
from control.scopes import GRANTS, PURPOSES, Scope, open_scopes

MAX_KEY = 600  # characters; the longest key that a configuration takes, and `Bearer `
BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever makes a call."""

    kind: str
    id: str
    scopes: frozenset[Scope]


ANYONE = Principal("anyone", "anyone", frozenset({Scope.PUBLIC}))

# Set for the time of a call; handlers and what they await see their own caller.
caller: ContextVar[Principal] = ContextVar("caller", default=ANYONE)


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Knows all keys, lists by kind of caller, and which kinds need none."""

    keys: Mapping[str, Sequence[str]]
    open_kinds: frozenset[str]
    hash_secret: bytes = field(repr=False)

    def admit(self, method: str, scope: Scope, metadata: Iterable[tuple[str, object]]) -> Principal:
        """Return who calls.

        Raises:
            Unauthenticated: the key that it takes is missing, wrong or unusable.
            Forbidden: the key is good, but not for this method.
        """
        scopes = set(open_scopes(self.open_kinds))
        principal = ANYONE
        presented = _presented(metadata)
        for kind, key in self._recognised(presented):
            scopes |= GRANTS[kind]
            name = principal_id(key_hash(key, self.hash_secret))
            principal = Principal(kind, name, frozenset())
        if scope in scopes:
            return Principal(principal.kind, principal.id, frozenset(scopes))
        if principal is ANYONE:
            raise Unauthenticated(_missing(method, scope, presented))
        raise Forbidden(f"a key of kind {principal.kind!r} may not call {method}")

    def _recognised(self, presented: Mapping[str, str]) -> Iterable[tuple[str, str]]:
        for kind in GRANTS:
            # Administrators present their keys as operators do.
            header = METADATA_KEY["operator" if kind == "admin" else kind]
            key = presented.get(header)
            if key is not None and known(key, self.keys.get(kind, ())):
                yield kind, key


def _presented(metadata: Iterable[tuple[str, object]]) -> dict[str, str]:
    """Return the keys in `metadata`, by header.

    Raises:
        Unauthenticated: a key is there twice, or longer than any key is.
    """
    headers = set(METADATA_KEY.values())
    found: dict[str, str] = {}
    for header, value in metadata:
        if header not in headers:
            continue
        if header in found:
            raise Unauthenticated(f"{header} is there twice")
        if not isinstance(value, str) or len(value) > MAX_KEY:
            raise Unauthenticated(f"{header} is no key")
        found[header] = value.removeprefix(BEARER) if header == "authorization" else value
    return found


def _missing(method: str, scope: Scope, presented: Mapping[str, str]) -> str:
    """Return what a caller without a right reads: which key is wanted, and where to put it."""
    kind = next((kind for kind, purpose in PURPOSES.items() if scope in purpose), "admin")
    sent = "the one sent is not known" if presented else "none was sent"
    return (
        f"{method.rpartition('/')[2]} needs one of control's auth.{kind}_api_keys; {sent}"
        f" (GENIEHIVE_{kind.upper()}_KEY)"
    )
