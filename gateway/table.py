"""What this gateway holds of one of control's tables: applied whole, or not at all."""

from collections.abc import Callable, Collection, Mapping
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
class Patch(Generic[T]):
    """A change of a resource that is held. parts: what of it is another then, or gone.

    upon: returns the resource after it; raises `Unusable` where it does not fit.
    """

    base_hash: int
    parts: Collection[str]
    upon: Callable[[T], T]


@dataclass(frozen=True, slots=True)
class Applied:
    """What an update did to a replica."""

    # Of all resources that may be others now, or gone: of what parts, None for all of it.
    names: Mapping[str, Collection[str] | None]
    unusable: dict[str, str]  # names that cannot be used, with the reason


@dataclass(slots=True)
class Replica(Generic[T]):
    """The resources of one table, as `read` makes them, by name.

    `current` holds those of control's present life, `carried` those of an
    earlier one that are not known to be gone: until control says `settled`,
    absence removes nothing.
    """

    read: Callable[[pb.Resource], T | Patch[T]]
    identity: pb.TableIdentity | None = None
    settled: bool = False
    current: dict[str, T] = field(default_factory=dict)
    carried: dict[str, T] = field(default_factory=dict)
    # What control sent for each of `current`, for a file that outlives us; None where it
    # sent parts.
    pushed: dict[str, bytes | None] = field(default_factory=dict)
    _hashes: dict[str, int] = field(default_factory=dict)
    _stale: set[str] = field(default_factory=set)  # names of which an older version is held
    _table_hash: int = 0

    def carry(self, update: pb.TableUpdate) -> Applied:
        """Hold what an earlier life of this gateway held, until control tells; then nothing."""
        if self.identity is not None:
            return Applied({}, {})
        values, _, _, unusable = finished(self._values(update))
        self.carried = values
        return Applied(dict.fromkeys(values), unusable)

    def apply(self, update: pb.TableUpdate) -> Applied:
        """Apply `update`.

        Raises:
            SnapshotWanted: a gap, a wrong hash, or a version from the past; what
                is held is unchanged.
        """
        return finished(self.applying(update))

    def applying(self, update: pb.TableUpdate) -> Steps[Applied]:
        """Apply `update` in steps; until the last one, what is held is unchanged.

        One update after the other. Raises as `apply`.
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
        values, pushed, parts, unusable = yield from self._values(update)

        # From here on nothing can fail.
        names = {name: parts.get(name) for name in changes}
        if update.snapshot:
            names |= dict.fromkeys(self.current)
        if update.snapshot or update.settled:
            names |= dict.fromkeys(self.carried)
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
        self._stale = (set() if update.snapshot else self._stale - names.keys()) | unusable.keys()
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
        there = {one.name for one in update.upserts}
        if not there.isdisjoint(update.tombstones):
            raise SnapshotWanted("a resource is both there and gone")
        if len(there) < len(update.upserts):
            raise SnapshotWanted("a resource is told twice")

    def _values(
        self, update: pb.TableUpdate
    ) -> Steps[
        tuple[dict[str, T], dict[str, bytes | None], dict[str, Collection[str]], dict[str, str]]
    ]:
        """Read the resources of `update`; the last good version of one that cannot be used.

        Also what is kept of each for the file, and of what parts those are others that
        were patched.
        """
        values: dict[str, T] = {}
        pushed: dict[str, bytes | None] = {}
        parts: dict[str, Collection[str]] = {}
        unusable: dict[str, str] = {}
        for resource in update.upserts:
            name = resource.name
            try:
                found = self.read(resource)
                if isinstance(found, Patch):
                    values[name] = found.upon(self._base(name, found.base_hash))
                    parts[name] = found.parts
                    pushed[name] = None
                else:
                    values[name] = found
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
        return values, pushed, parts, unusable

    def _base(self, name: str, base_hash: int) -> T:
        """Return what a patch builds on."""
        if self._hashes.get(name) != base_hash or name not in self.current:
            raise SnapshotWanted(f"{name} is not held as the patch expects it")
        if name in self._stale:
            raise Unusable("what it changes could not be used")
        return self.current[name]


def _life(identity: pb.TableIdentity) -> tuple[str, str]:
    return identity.store_id, identity.incarnation
