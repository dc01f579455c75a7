"""What this gateway holds of one of control's tables: applied whole, or not at all."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from geniehive.v1 import routing_service_pb2 as pb

from gateway.steps import Steps, finished

T = TypeVar("T")


class SnapshotWanted(Exception):
    """The update does not fit to what is held; only a snapshot helps."""


class Unusable(ValueError):
    """One resource cannot be used; its last good version stays."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What an update did to a replica."""

    names: Collection[str]  # of all resources that may be others now, or gone
    unusable: dict[str, str]  # names that cannot be used, with the reason


@dataclass(slots=True)
class Replica(Generic[T]):
    """The resources of one table, as `read` makes them, by name.

    `current` holds those of control's present life, `carried` those of an
    earlier one that are not known to be gone: until control says `settled`,
    absence removes nothing.
    """

    read: Callable[[pb.Resource], T]
    identity: pb.TableIdentity | None = None
    settled: bool = False
    current: dict[str, T] = field(default_factory=dict)
    carried: dict[str, T] = field(default_factory=dict)
    # What control sent for each of `current`, for a file that outlives us.
    pushed: dict[str, bytes] = field(default_factory=dict)
    _hashes: dict[str, int] = field(default_factory=dict)
    _table_hash: int = 0

    def carry(self, update: pb.TableUpdate) -> Applied:
        """Hold what an earlier life of this gateway held, until control tells; then nothing."""
        if self.identity is not None:
            return Applied((), {})
        self.carried, _, unusable = finished(self._values(update))
        return Applied(self.carried.keys(), unusable)

    def apply(self, update: pb.TableUpdate) -> Applied:
        """Apply `update`.

        Raises:
            SnapshotWanted: a gap, a wrong hash, or a version from the past; what
                is held is unchanged.
        """
        return finished(self.applying(update))

    def applying(self, update: pb.TableUpdate) -> Steps[Applied]:
        """Apply `update` in steps; until the last one, what is held is unchanged.

        One update after the other. Raises as `apply`, with the first step.
        """
        self._check_order(update)
        changes = dict.fromkeys(update.tombstones, 0)
        changes.update((resource.name, resource.hash) for resource in update.upserts)
        hashes = {} if update.snapshot else self._hashes
        table_hash = 0 if update.snapshot else self._table_hash
        for name, changed in changes.items():
            table_hash ^= hashes.get(name, 0) ^ changed
        if table_hash != update.table_hash:
            raise SnapshotWanted("the table hash is wrong")
        values, pushed, unusable = yield from self._values(update)

        # From here on nothing can fail.
        names = set(changes)
        if update.snapshot:
            names |= self.current.keys()
        if update.snapshot or update.settled:
            names |= self.carried.keys()
        if update.snapshot:
            self.carried |= self.current
            self.current = {}
            self.pushed = {}
        self.current |= values
        self.pushed |= pushed
        for name in set(update.tombstones):
            self.current.pop(name, None)
            self.pushed.pop(name, None)
            self.carried.pop(name, None)
            hashes.pop(name, None)
            del changes[name]
        hashes.update(changes)
        self._hashes, self._table_hash = hashes, table_hash
        self.identity = update.identity
        self.settled = update.settled
        if update.settled:
            self.carried = {}
        return Applied(names, unusable)

    def _check_order(self, update: pb.TableUpdate) -> None:
        held = self.identity
        same_life = held is not None and _life(held) == _life(update.identity)
        if update.snapshot:
            if same_life and held is not None and update.identity.version < held.version:
                raise SnapshotWanted("the snapshot is older than what is held")
        elif not same_life or held is None or update.base_version != held.version:
            raise SnapshotWanted("the delta builds on a version that is not held")
        if not set(update.tombstones).isdisjoint(one.name for one in update.upserts):
            raise SnapshotWanted("a resource is both there and gone")

    def _values(
        self, update: pb.TableUpdate
    ) -> Steps[tuple[dict[str, T], dict[str, bytes], dict[str, str]]]:
        """Read the resources of `update`; the last good version of one that cannot be used."""
        values = {}
        pushed = {}
        unusable = {}
        for resource in update.upserts:
            name = resource.name
            try:
                values[name] = self.read(resource)
                pushed[name] = resource.SerializeToString()
            except Unusable as error:
                unusable[name] = str(error)
                if name in self.current:
                    values[name] = self.current[name]
                elif name in self.carried:
                    values[name] = self.carried[name]
                if name in self.pushed:
                    pushed[name] = self.pushed[name]
            yield
        return values, pushed, unusable


def _life(identity: pb.TableIdentity) -> tuple[str, str]:
    return identity.store_id, identity.incarnation
