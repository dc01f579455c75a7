"""What operators send nothing new: hosts and services, by name. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drain:
    """A name that is drained.

    since: seconds since 1970. by: the principal who drained it.
    """

    name: str
    since: float
    by: str


class Drains:
    """All that is drained: a host with whatever it serves, or a service alone.

    A name stays drained when what it names goes, since it may come back.
    """

    def __init__(self, drains: Iterable[Drain] = ()) -> None:
        self._by_name = {one.name: one for one in drains}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self._by_name)

    def put(self, drain: Drain) -> None:
        """Take over a drain; one of the same name that is held stays."""
        self._by_name.setdefault(drain.name, drain)

    def drop(self, name: str) -> None:
        """Forget the drain of a name, if there is one."""
        self._by_name.pop(name, None)

    def listed(self, most: int) -> list[Drain]:
        """Return the first `most` drains, ordered by name."""
        return [self._by_name[name] for name in sorted(self._by_name)[:most]]

    def names_over(self, service_id: str) -> tuple[str, ...]:
        """Return the names by which a service is drained: its host's, its own, both or none."""
        if not self._by_name:
            return ()
        names = service_id.partition("/")[0], service_id
        return tuple(name for name in names if name in self._by_name)
