"""What a worker is told by the process that starts it, through the environment."""

from collections.abc import Mapping

import msgspec

VARIABLE = "GENIEHIVE_WORKER"

# What a worker says over its tether: its process runs, it can serve.
UP = b"up\n"
READY = b"ready\n"


class Place(msgspec.Struct, frozen=True):
    """Which of the workers this is, and what it shares with the others. Holds no secret."""

    number: int  # from 0
    workers: int
    gateway_id: str
    insecure: bool
    patient: bool  # others serve: it need not take requests before it can route them
    settings: str  # JSON
    # File descriptors that it inherits.
    tether: int
    cells: int
    slots: int
    listeners: list[int]

    @property
    def name(self) -> str:
        """What people call it."""
        return f"worker {self.number + 1}"

    def environment(self) -> dict[str, str]:
        """Return the environment that tells a worker its place."""
        return {VARIABLE: msgspec.json.encode(self).decode()}


def place_in(environment: Mapping[str, str]) -> Place:
    """Return the place that `environment` tells.

    Raises:
        KeyError: it tells none. msgspec.MsgspecError: something else wrote it.
    """
    return msgspec.json.decode(environment[VARIABLE], type=Place)
