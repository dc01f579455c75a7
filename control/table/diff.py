"""What changes between two states of a table."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import TypeVar

from control.table.resources import Resource

T = TypeVar("T")

CHARACTER_BYTES = 4  # at most, in a message


@dataclass(frozen=True, slots=True)
class Delta:
    """Resources to add or replace, and names to remove. Applied whole or not at all."""

    upserts: tuple[Resource, ...] = ()
    tombstones: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.upserts or self.tombstones)

    def cut(self, limit: int) -> list["Delta"]:
        """Return the same in parts of at most `limit` bytes, or one entry; at least one part."""
        if self.size <= limit:
            return [self]
        upserts = _cut(self.upserts, _size, limit)
        tombstones = _cut(self.tombstones, _name_size, limit)
        return [*(Delta(some) for some in upserts), *(Delta((), some) for some in tombstones)]

    @property
    def size(self) -> int:
        """Bytes, at least what it takes in a message."""
        return sum(map(_size, self.upserts)) + sum(map(_name_size, self.tombstones))


def changes(table: Mapping[str, Resource], fresh: Mapping[str, Resource | None]) -> Delta:
    """Return what really changes when `fresh` is written over `table`; None removes a name."""
    upserts = []
    tombstones = []
    for name, resource in fresh.items():
        held = table.get(name)
        if resource is None:
            if held is not None:
                tombstones.append(name)
        elif held is None or held.hash != resource.hash:
            upserts.append(resource)
    return Delta(tuple(upserts), tuple(tombstones))


def apply(table: dict[str, Resource], table_hash: int, delta: Delta) -> int:
    """Change `table` by `delta` and return its new hash.

    The hash of a table is the XOR of the hashes of its resources, so that a
    change costs as much as it is large and order does not matter.
    """
    gone = [table.pop(name) for name in delta.tombstones if name in table]
    for resource in delta.upserts:
        if (held := table.get(resource.name)) is not None:
            gone.append(held)
        table[resource.name] = resource
    return combined((*gone, *delta.upserts), table_hash)


def combined(resources: Iterable[Resource], start: int = 0) -> int:
    """Return the XOR of `start` and the hashes of `resources`."""
    return reduce(xor, (resource.hash for resource in resources), start)


def _cut(entries: Iterable[T], size: Callable[[T], int], limit: int) -> Iterator[tuple[T, ...]]:
    part: list[T] = []
    filled = 0
    for entry in entries:
        filled += size(entry)
        if part and filled > limit:
            yield tuple(part)
            part, filled = [], size(entry)
        part.append(entry)
    if part:
        yield tuple(part)


def _size(resource: Resource) -> int:
    return resource.size


def _name_size(name: str) -> int:
    return CHARACTER_BYTES * len(name)
