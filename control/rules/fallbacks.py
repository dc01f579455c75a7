"""Which roles stand in for a role, in which order: its fallbacks, theirs, and so on. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Nobody waits for the 33rd; and 10,000 roles in a circle would be 100 million entries.
MAX_STAND_INS = 32


@dataclass(frozen=True, slots=True)
class Chain:
    """Who stands in for a role.

    role_ids: in the order in which they are tried, each once, never the role itself.
    circular: whether fallbacks lead back to the role. cut: whether there were more.
    """

    role_ids: tuple[str, ...]
    circular: bool = False
    cut: bool = False


def chain(role_id: str, fallbacks: Mapping[str, Sequence[str]]) -> Chain:
    """Return who stands in for a role: depth first, so a fallback's own before the next one.

    fallbacks: of every role, by id.
    """
    found: dict[str, None] = {}  # a set that keeps its order
    circular = False
    waiting = list(reversed(fallbacks[role_id]))
    while waiting:
        name = waiting.pop()
        if name == role_id:
            circular = True
        elif name not in found:
            if len(found) == MAX_STAND_INS:
                return Chain(tuple(found), circular, cut=True)
            found[name] = None
            waiting += reversed(fallbacks[name])
    return Chain(tuple(found), circular)
