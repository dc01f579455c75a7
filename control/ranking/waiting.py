"""How requests wait for services that are busy, as an operator wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from control.api.priorities import Priority, Standing


@dataclass(frozen=True, slots=True)
class Waiting:
    """How requests wait, and which of them go first.

    on: whether they wait in gateways; else they are sent at once, and wait inside engines.
    usual: the priority of those for which nothing else is said. highest: that a request may
    name, where its key says nothing else. standings: of keys, by the id of their principal.
    """

    on: bool = True
    usual: Priority = Priority.NORMAL
    highest: Priority = Priority.HIGH
    standings: Mapping[str, Standing] = field(default_factory=dict)


IN_THE_ROOM = Waiting()
