"""One table and its watchers: what each is told next. No I/O.

A watcher has at most one update on its way: the next one is made when the last
is acknowledged, from the state that the table has then. So a slow watcher gets
only the latest, and memory does not grow with its slowness.

A change of a large target is told by a patch, unless what it builds on is not held, or
was so long ago that the whole target is shorter.

What does not fit into one message goes out in parts: a snapshot that is not
settled, then deltas, each a version of its own. A watcher that leaves in between
holds a version whose hash is not that of the table, sees so when it comes back,
and asks for all of it again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from control.table.diff import Delta, apply, combined
from control.table.patches import Patches
from control.table.resources import Resource, TargetPatch
from control.text import printable

# Names that are gone are remembered, so that a delta can say so, up to this many.
MAX_REMEMBERED = 10_000
MAX_REASON = 200  # characters
MAX_PART = 2 << 20  # bytes; a receiver takes 16 MiB, and nobody should wait for that long

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which table, and which state of it; versions compare within one incarnation."""

    store_id: str
    incarnation: str
    version: int


# Compared by identity, so that many watchers can share one encoded update.
@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """What a watcher applies whole or not at all; a snapshot when `base` is None."""

    identity: Identity
    base: int | None
    settled: bool
    delta: Delta
    table_hash: int


@dataclass(slots=True, eq=False)
class Watcher:
    """A gateway that follows the table."""

    gateway_id: str
    held: int | None  # version, None when a snapshot is due
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    greeted: bool = False  # the first update is sent even when it is empty
    sent: Update | None = None  # on its way, not acknowledged
    parts: deque[Update] = field(default_factory=deque)  # what is sent after it
    unusable: dict[str, str] = field(default_factory=dict)  # reason by resource name

    def acknowledge(self, unusable: Mapping[str, str], *, snapshot_wanted: bool) -> None:
        """Take the answer to the update on its way, or a wish for a snapshot."""
        if self.sent is not None:
            self.held = self.sent.identity.version
            if self.sent.base is None:
                self.unusable.clear()
            for name in self.sent.delta.tombstones:
                self.unusable.pop(name, None)
            for resource in self.sent.delta.upserts:
                self._judge(resource, unusable.get(resource.name))
        self.sent = None
        if snapshot_wanted:
            log.info("gateway %s asks for a snapshot", self.gateway_id)
            self.held = None
            self.parts.clear()

    def _judge(self, resource: Resource, reason: str | None) -> None:
        name = resource.name
        if reason is None:
            self.unusable.pop(name, None)
            return
        self.unusable[name] = reason = printable(reason, MAX_REASON)
        log.warning("gateway %s cannot use %r: %s", self.gateway_id, name, reason)
        if isinstance(resource.body, TargetPatch):
            # What it builds on could not be used either, before this watcher joined.
            self.held = None
            self.parts.clear()


class Hub:
    """A table with its history, and everybody who watches it."""

    def __init__(self, store_id: str, incarnation: str, *, settled: bool) -> None:
        self.table: dict[str, Resource] = {}
        self.settled = settled
        self.watchers: set[Watcher] = set()
        self._store_id = store_id
        self._incarnation = incarnation
        self._version = 0
        self._hash = 0
        # Version of the last change by name, also of names that are gone; in
        # the order of the changes.
        self._changed: dict[str, int] = {}
        self._gone: dict[str, None] = {}
        self._oldest = 0  # deltas reach back to this version
        self._patches = Patches()
        # What leads to the version now, by what is held, and by what is not although it was told.
        self._made: dict[tuple[int | None, frozenset[str]], Update] = {}

    @property
    def identity(self) -> Identity:
        """The state of the table now."""
        return Identity(self._store_id, self._incarnation, self._version)

    def publish(self, delta: Delta, *, settled: bool) -> bool:
        """Change the table and wake its watchers; return whether anything changed."""
        if not delta and settled == self.settled:
            return False
        self._advance()
        for resource in delta.upserts:
            self._gone.pop(resource.name, None)
            held = self.table.get(resource.name)
            self._patches.note(resource, held, self._changed.get(resource.name, 0))
            self._note(resource.name)
        for name in delta.tombstones:
            self._gone[name] = None
            self._patches.forget(name)
            self._note(name)
        self._hash = apply(self.table, self._hash, delta)
        self.settled = settled
        self._forget()
        for watcher in self.watchers:
            watcher.wake.set()
        return True

    def join(self, gateway_id: str, held: Identity | None) -> Watcher:
        """Return a new watcher that holds the state `held`."""
        mine = held is not None and (held.store_id, held.incarnation) == (
            self._store_id,
            self._incarnation,
        )
        watcher = Watcher(gateway_id, held.version if mine and held else None)
        self.watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        self.watchers.discard(watcher)

    def unusable(self, limit: int) -> dict[str, str]:
        """Return the first `limit` resources by name that a watcher cannot use, and why."""
        found: dict[str, str] = {}
        for watcher in self.watchers:
            found |= watcher.unusable
        return dict(sorted(found.items())[:limit])

    def due(self, watcher: Watcher) -> Update | None:
        """Return what to send to `watcher` now, and take it as sent; None when nothing is due."""
        watcher.wake.clear()
        if watcher.sent is not None:
            return None
        if not watcher.parts:
            if watcher.greeted and watcher.held == self._version:
                return None
            watcher.parts.extend(self._since(watcher.held, frozenset(watcher.unusable)))
        watcher.sent = watcher.parts.popleft()
        watcher.greeted = True
        return watcher.sent

    def _since(self, version: int | None, unusable: frozenset[str]) -> tuple[Update, ...]:
        if version is not None and not self._oldest <= version <= self._version:
            version = None
        # Watchers mostly hold the same, so they share one update, and one encoding of it.
        if (made := self._made.get((version, unusable))) is not None:
            return (made,)
        updates = tuple(self._updates(version, unusable))
        # Whoever holds some parts of a snapshot must see later versions in the next one.
        if len(updates) == 1:
            self._made[version, unusable] = updates[0]
        return updates

    def _updates(self, version: int | None, unusable: frozenset[str]) -> Iterator[Update]:
        """Yield what brings a watcher from `version` to now, in parts that fit into messages."""
        delta = Delta()
        if version is not None:
            delta = self._delta(version, unusable)
            if delta.size <= MAX_PART:
                yield Update(self.identity, version, self.settled, delta, self._hash)
                return
        # Only of a snapshot do we know the hash after each part. What is gone is told with it:
        # as long as the table is not settled, absence would not say so.
        table = Delta(tuple(self.table.values()), delta.tombstones)
        *parts, last = table.cut(MAX_PART)
        base, table_hash = None, 0
        for part in parts:
            self._advance()
            table_hash = combined(part.upserts, table_hash)
            yield Update(self.identity, base, False, part, table_hash)
            base = self._version
        if parts:
            self._advance()
        yield Update(self.identity, base, self.settled, last, self._hash)

    def _delta(self, version: int, unusable: frozenset[str]) -> Delta:
        upserts, tombstones = [], []
        for name in self._names_since(version):
            resource = self.table.get(name)
            if resource is None:
                tombstones.append(name)
            elif name in unusable:
                upserts.append(resource)  # what a patch builds on is not held
            else:
                upserts.append(self._patches.told(resource, version))
        return Delta(tuple(upserts), tuple(tombstones))

    def _advance(self) -> None:
        self._version += 1
        self._made.clear()

    def _names_since(self, version: int) -> Iterable[str]:
        for name in reversed(self._changed):
            if self._changed[name] <= version:
                return
            yield name

    def _note(self, name: str) -> None:
        self._changed.pop(name, None)  # so that it moves to the end
        self._changed[name] = self._version

    def _forget(self) -> None:
        while len(self._gone) > MAX_REMEMBERED:
            name = next(iter(self._gone))
            del self._gone[name]
            self._oldest = max(self._oldest, self._changed.pop(name))
