"""Which requests go first where some wait."""

from enum import IntEnum


class Priority(IntEnum):
    """Of a request; a higher one goes before all lower ones. The values are the contract's."""

    LOW = 1
    NORMAL = 2
    HIGH = 3


WORDS: dict[str, Priority] = {one.name.lower(): one for one in Priority}
