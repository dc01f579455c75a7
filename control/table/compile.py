"""The route table from the registered services: only what is dirty is made again.

`service/<id>` says how to reach a service. `target/<operation>/<name>` says who
serves a name: an asset id means every service with that asset; a service id
means its best asset for the operation.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from control.inventory import Operation, Service
from control.ranking.scoring import Candidate, rank
from control.table.diff import Delta, changes
from control.table.resources import (
    Choice,
    Resource,
    RouteService,
    Target,
    service_name,
    target_name,
)


class Presence(Enum):
    """What may be said of a service."""

    ROUTABLE = auto()
    UNROUTABLE = auto()
    UNDECIDED = auto()  # its host is returning, and watchers may still reach it


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered service, as far as routing is concerned."""

    service: Service
    presence: Presence


Key = tuple[Operation, str]


class Compiler:
    """Follows the services and says what each of their changes means for the route table."""

    def __init__(self) -> None:
        # Ranked candidates by operation and name; empty when nobody can serve it now.
        self.targets: dict[str, dict[str, tuple[Candidate, ...]]] = {o: {} for o in Operation}
        self._entries: dict[str, Entry] = {}
        self._holders: dict[Key, set[str]] = defaultdict(set)

    def update(self, entries: Mapping[str, Entry | None], table: Mapping[str, Resource]) -> Delta:
        """Take over services, None for one that is gone; return what that changes in `table`."""
        fresh: dict[str, Resource | None] = {}
        dirty: dict[Key, None] = {}  # a set that keeps its order, so that output does
        for service_id, entry in entries.items():
            before = self._entries.get(service_id)
            if entry == before:
                continue
            for key in _keys(before):
                self._holders[key].discard(service_id)
                dirty[key] = None
            for key in _keys(entry):
                self._holders[key].add(service_id)
                dirty[key] = None
            if entry is None:
                del self._entries[service_id]
            else:
                self._entries[service_id] = entry
            name = service_name(service_id)
            fresh[name] = _route_service(name, entry, told=name in table)
        for key in dirty:
            resource_name = target_name(*key)
            target = self._target(key, told=resource_name in table)
            fresh[resource_name] = Resource.of(resource_name, target) if target else None
        return changes(table, fresh)

    def _target(self, key: Key, *, told: bool) -> Target | None:
        """Make the target of `key` again; None when nothing may be said of it.

        told: whether the table says something of it already.
        """
        operation, name = key
        held = [self._entries[service_id] for service_id in self._holders[key]]
        if not held:
            del self._holders[key]
            self.targets[operation].pop(name, None)
            return None
        ranked = rank(_candidates(operation, name, held))
        self.targets[operation][name] = ranked
        undecided = any(entry.presence is Presence.UNDECIDED for entry in held)
        if not ranked and undecided and not told:
            # "Nobody serves it" would take a working route from gateways that
            # outlived control's last life; they keep it until the host is back.
            return None
        choices = tuple(Choice(c.service_id, c.asset_id, c.score) for c in ranked)
        return Target(name, operation, choices)


def _keys(entry: Entry | None) -> Iterable[Key]:
    """Return what clients can ask `entry` for."""
    if entry is None:
        return
    for asset in entry.service.assets:
        for operation in asset.operations:
            yield operation, asset.asset_id
            yield operation, entry.service.service_id


def _candidates(operation: Operation, name: str, held: Sequence[Entry]) -> list[Candidate]:
    """Return who serves `name`, as an asset id, or else as a service id."""
    routable = [entry.service for entry in held if entry.presence is Presence.ROUTABLE]
    is_asset = any(
        candidate.asset_id == name
        for entry in held
        for candidate in _offered(entry.service, operation)
    )
    if is_asset:
        offered = (c for service in routable for c in _offered(service, operation))
        return [candidate for candidate in offered if candidate.asset_id == name]
    return [rank(_offered(service, operation))[0] for service in routable]


def _offered(service: Service, operation: Operation) -> list[Candidate]:
    return [
        Candidate(service.service_id, asset.asset_id, asset.loaded)
        for asset in service.assets
        if operation in asset.operations
    ]


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
