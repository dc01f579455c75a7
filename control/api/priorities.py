"""Which requests go first where some wait."""

from dataclasses import dataclass
from enum import IntEnum


class Priority(IntEnum):
    """Of a request; a higher one goes before all lower ones. The values are the contract's."""

    LOW = 1
    NORMAL = 2
    HIGH = 3


WORDS: dict[str, Priority] = {one.name.lower(): one for one in Priority}
# By its number in a message; one that a later version knows is as good as not told.
NUMBERS: dict[int, Priority] = {one.value: one for one in Priority}


@dataclass(frozen=True, slots=True)
class Standing:
    """The priority of requests with one key.

    usual: of those that name none. highest: that they may name. None: as with other keys.
    """

    usual: Priority | None = None
    highest: Priority | None = None


AS_OTHERS = Standing()
