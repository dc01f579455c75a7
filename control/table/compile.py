"""The route table from the registered services: only what is dirty is made again.

`service/<id>` says how to reach a service. `target/<operation>/<name>` says who
serves a name: an asset id means every service with that asset; a service id
means its best asset for the operation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from control.inventory import Operation, Service
from control.ranking.candidates import Candidate, best
from control.table.diff import Delta, changes
from control.table.offered import Offered, Presence
from control.table.resources import (
    Resource,
    RouteService,
    Target,
    service_name,
    target_name,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered service, as far as routing is concerned."""

    service: Service
    presence: Presence


Key = tuple[Operation, str]
Dirty = str | Key  # a service, by id, or a target

# Candidates of a target that cost as much to tell as one more resource.
CANDIDATES_A_RESOURCE = 100


class Compiler:
    """Follows the services and says what each of their changes means for the route table."""

    def __init__(self) -> None:
        # Ranked candidates by operation and name; empty when nobody can serve it now.
        self.targets: dict[str, dict[str, tuple[Candidate, ...]]] = {o: {} for o in Operation}
        self._entries: dict[str, Entry] = {}
        self._offered: dict[Key, Offered] = {}
        self._arriving: dict[str, Entry | None] = {}  # the latest, not looked at yet
        self._taking: Iterator[None] | None = None  # the one that is being taken over
        # To be made again; a set that keeps its order.
        self._dirty: dict[Dirty, None] = {}

    @property
    def waiting(self) -> int:
        """How much is still to be done: resources to be made again, services to be taken over."""
        return len(self._dirty) + len(self._arriving) + (self._taking is not None)

    def take(self, service_id: str, entry: Entry | None) -> None:
        """Take over a service, None for one that is gone; what that changes waits to be made."""
        self._arriving[service_id] = entry

    def make(self, table: Mapping[str, Resource], limit: int) -> Delta:
        """Make what waits; return what that changes in `table`.

        limit: resources, after which the rest is left waiting; a wide one counts for more.
        As many offers are taken over before.
        """
        self._take_over(limit)
        fresh: dict[str, Resource | None] = {}
        for dirty in self._batch(limit):
            if isinstance(dirty, str):
                name = service_name(dirty)
                fresh[name] = _route_service(name, self._entries.get(dirty), told=name in table)
            else:
                name = target_name(*dirty)
                fresh[name] = self._target(name, dirty, told=name in table)
        return changes(table, fresh)

    def _batch(self, limit: int) -> list[Dirty]:
        batch: list[Dirty] = []
        for dirty in self._dirty:
            if limit <= 0:
                break
            batch.append(dirty)
            width = 0 if isinstance(dirty, str) else len(self._offered[dirty])
            limit -= 1 + width // CANDIDATES_A_RESOURCE
        for dirty in batch:
            del self._dirty[dirty]
        return batch

    def _take_over(self, limit: int) -> None:
        """Go on with the services that arrived, for so many offers of theirs."""
        while limit > 0 and (self._taking or self._arriving):
            if self._taking is None:
                service_id = next(iter(self._arriving))
                self._taking = self._taken(service_id, self._arriving.pop(service_id))
            offers = sum(1 for _ in islice(self._taking, limit))
            if offers < limit:
                self._taking = None
            limit -= max(offers, 1)

    def _taken(self, service_id: str, entry: Entry | None) -> Iterator[None]:
        """Take over a service, an offer at a time: one may make ten thousand."""
        before = self._entries.get(service_id)
        if entry == before:
            return
        if entry is not None:
            # A target that names a service should not come before it.
            self._entries[service_id] = entry
            self._dirty[service_id] = None
        kept: set[Key] = set()
        for key, candidate in _offers(entry):
            if key not in kept and entry is not None:
                kept.add(key)
                self._put(key, candidate, entry.presence)
            yield
        if before is not None and entry is not None and before.service == entry.service:
            return
        for key, _ in _offers(before):
            if key not in kept and (offered := self._offered.get(key)) is not None:
                offered.drop(service_id)
                self._dirty[key] = None
            yield
        if entry is None:
            del self._entries[service_id]
            self._dirty[service_id] = None

    def _put(self, key: Key, candidate: Candidate, presence: Presence) -> None:
        if (offered := self._offered.get(key)) is None:
            offered = self._offered[key] = Offered(key[1])
        if offered.put(candidate, presence):
            self._dirty[key] = None

    def _target(self, resource: str, key: Key, *, told: bool) -> Resource | None:
        """Make the target of `key` again; None when nothing may be said of it.

        told: whether the table says something of it already.
        """
        operation, name = key
        offered = self._offered[key]
        if not offered:
            del self._offered[key]
            self.targets[operation].pop(name, None)
            return None
        meant = offered.meant
        self.targets[operation][name] = tuple(meant.candidates)
        if not meant.candidates and not told and offered.undecided:
            # "Nobody serves it" would take a working route from gateways that
            # outlived control's last life; they keep it until the host is back.
            return None
        target = Target(name, operation, tuple(meant.choices))
        return Resource.of_target(resource, target, meant.contents)


def _offers(entry: Entry | None) -> Iterator[tuple[Key, Candidate]]:
    """Yield what clients can ask `entry` for, and what they get; the first of a key counts."""
    if entry is None:
        return
    service_id = entry.service.service_id
    own: dict[Operation, Candidate] = {}
    for asset in entry.service.assets:
        candidate = Candidate(service_id, asset.asset_id, asset.loaded, float(asset.loaded))
        for operation in asset.operations:
            yield (operation, asset.asset_id), candidate
            own[operation] = best((own.get(operation, candidate), candidate))
    for operation, candidate in own.items():
        yield (operation, service_id), candidate


def _route_service(name: str, entry: Entry | None, *, told: bool) -> Resource | None:
    if entry is None:
        return None
    if entry.presence is Presence.UNDECIDED and not told:
        # Heard of without its names, it would look like a service that lost them.
        return None
    service = entry.service
    return Resource.of(
        name,
        RouteService(service.service_id, service.host_id, service.endpoint, service.concurrency),
    )
