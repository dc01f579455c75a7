"""Which priority a request has: what it asks for, as far as its key may, or what holds for it."""

from collections.abc import Iterable
from dataclasses import dataclass

from control.api.errors import InvalidValue, OperationNotAllowed
from control.api.priorities import WORDS, Priority
from gateway.keys import KeyRing
from gateway.routes import Routes

HEADER = b"x-geniehive-priority"
NAME = "X-GenieHive-Priority"  # as people write it

_BY_VALUE = {word.encode(): priority for word, priority in WORDS.items()}


def asked(headers: Iterable[tuple[bytes, bytes]]) -> Priority | None:
    """Return the priority that a client asks for; None when it does not.

    headers: names in lower case.

    Raises:
        InvalidValue: it is none, or two different ones.
    """
    told = {value for name, value in headers if name == HEADER}
    if not told:
        return None
    priority = _BY_VALUE.get(told.pop())
    if told or priority is None:
        raise InvalidValue(f"{NAME} must be one of {', '.join(WORDS)}, and once", param=NAME)
    return priority


@dataclass(frozen=True, slots=True)
class Priorities:
    """What holds in this cluster, by what control tells of keys and of how requests wait."""

    keys: KeyRing
    routes: Routes

    def of(self, asked: Priority | None, principal: str, role: Priority | None) -> Priority:
        """Return the priority of a request.

        asked: by the request, None when it does not. role: what the role that it is for
        says, None for nothing.

        Raises:
            OperationNotAllowed: its key may not ask for so much.
        """
        standing, general = self.keys.standing(principal), self.routes.waiting
        highest = standing.highest or general.highest
        if asked is None:
            return min(role or standing.usual or general.priority, highest)
        if asked > highest:
            raise OperationNotAllowed(
                f"{NAME} {_word(asked)} is more than {principal} may ask for: at most"
                f" {_word(highest)}",
                param=NAME,
            )
        return asked


def _word(priority: Priority) -> str:
    return priority.name.lower()
