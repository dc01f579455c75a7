"""What a name that a client asks for means now."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from control.ranking.candidates import Candidate
from control.ranking.roles import Role

# Comparing costs about 20 us a name, and this runs beside the heartbeats.
MAX_COMPARED = 500
MAX_NEAR = 3

NO_ROLES: Mapping[str, Role] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody can serve it; best first.

    role_id: the role that serves, the one asked for or one that stands in; empty for an
    asset or a service.
    """

    candidates: Sequence[Candidate]
    role_id: str = ""


@dataclass(frozen=True, slots=True)
class Unserved:
    """It is known, and nobody can serve it now."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """It is known for other operations only."""

    operations: Sequence[str]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody has it. `near` holds at most 3 names that look like it, best first."""

    near: Sequence[str]


def resolve(
    name: str,
    operation: str,
    targets: Mapping[str, Mapping[str, Sequence[Candidate]]],
    roles: Mapping[str, Role] = NO_ROLES,
) -> Found | Unserved | Mismatch | Unknown:
    """Return what `name` means for `operation`: a role, or else an asset or a service.

    targets: candidates by name by operation; a name that is known and cannot be
    served now has none. roles: by id; they own their names, and are known without services.
    """
    of_operation = targets.get(operation, {})
    role = roles.get(name)
    if role is not None and role.operation == operation:
        for role_id in (name, *role.stand_ins):
            if role_id in roles and (candidates := of_operation.get(role_id)):
                return Found(candidates, role_id)
        return Unserved()
    if name in of_operation:
        candidates = of_operation[name]
        return Found(candidates) if candidates else Unserved()
    others = {other for other, names in targets.items() if name in names}
    if role is not None:
        others.add(role.operation)
    if others:
        return Mismatch(sorted(others))
    return Unknown(near(name, of_operation))


def near(name: str, names: Collection[str]) -> list[str]:
    """Return at most 3 of `names` that look like `name`, best first."""
    return difflib.get_close_matches(name[:100], _likely(name, names), n=MAX_NEAR)


def _likely(name: str, names: Iterable[str]) -> list[str]:
    """Return the names worth comparing: those that begin alike come first."""
    first = name[:1].lower()
    return sorted(names, key=lambda one: (one[:1].lower() != first, one))[:MAX_COMPARED]
