"""Which priority a request has: what it asks for, as far as its key may, or what holds for it."""

from collections.abc import Iterable
from dataclasses import dataclass

from control.api.errors import InvalidValue, OperationNotAllowed
from control.api.priorities import WORDS, Priority
from gateway.keys import KeyRing

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


@dataclass(slots=True)
class Priorities:
    """What holds in this cluster. default, highest: where a key says nothing else."""

    keys: KeyRing
    default: Priority = Priority.NORMAL
    highest: Priority = Priority.HIGH

    def of(self, asked: Priority | None, principal: str, role: Priority | None) -> Priority:
        """Return the priority of a request.

        asked: by the request, None when it does not. role: what the role that it is for
        says, None for nothing.

        Raises:
            OperationNotAllowed: its key may not ask for so much.
        """
        standing = self.keys.standing(principal)
        highest = standing.highest or self.highest
        if asked is None:
            return min(role or standing.usual or self.default, highest)
        if asked > highest:
            raise OperationNotAllowed(
                f"{NAME} {_word(asked)} is more than this key may ask for: at most"
                f" {_word(highest)}",
                param=NAME,
            )
        return asked


def _word(priority: Priority) -> str:
    return priority.name.lower()
