"""Who can serve a target: as control tells it now, and as it did in a life before."""

from collections.abc import Collection, Iterator

from gateway.resources import Candidate, Resource, Target
from gateway.table import Replica

Table = Replica[Resource]


class Candidates:
    """The candidates of `target`, held in `table` by `name`, by service.

    unheard: services that control has not heard of in its present life; what was said of
    them in an earlier one still counts.
    """

    __slots__ = ("_now", "_then", "_unheard")

    def __init__(self, table: Table, name: str, target: Target, unheard: Collection[str]) -> None:
        carried = table.carried.get(name)
        self._now = target.candidates
        self._then = carried.candidates if isinstance(carried, Target) else {}
        if carried is target:
            self._then = {}
        self._unheard = unheard

    def of(self, service_id: str) -> Candidate | None:
        candidate = self._now.get(service_id)
        if candidate is None and service_id in self._unheard:
            candidate = self._then.get(service_id)
        return candidate

    def all(self) -> Iterator[Candidate]:
        yield from self._now.values()
        for service_id in self._then.keys() - self._now.keys():
            if service_id in self._unheard:
                yield self._then[service_id]

    def mention(self, service_id: str) -> bool:
        return service_id in self._now or service_id in self._then

    def mentioned(self) -> set[str]:
        return {*self._now, *self._then}
