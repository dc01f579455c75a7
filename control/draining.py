"""Drains and undrains: in the store first, then in the cluster, where it counts at once."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from control.api.errors import InvalidValue, NotFound
from control.cluster import Cluster
from control.drains import Drain
from control.store import drains
from control.store.database import Writer

MAX_NAME = 200
MAX_DRAINS = 10_000  # names; each is an act of an operator

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Drained:
    """What draining a name did. services: that get nothing new, ordered."""

    services: list[str]
    changed: bool


@dataclass(frozen=True, slots=True)
class Undrained:
    """What undraining a name did.

    services: that may get something again, ordered. still_drained: those that do not, since
    they, or their host, are drained by their own name.
    """

    services: list[str]
    still_drained: list[str]
    changed: bool


class Draining:
    """Changes what is drained, each call whole or not at all.

    called: what a name means beside a host and a service, e.g. `role`; empty for nothing.
    wall_time: now, in seconds since 1970.
    """

    def __init__(
        self,
        cluster: Cluster,
        writer: Writer,
        called: Callable[[str], str],
        wall_time: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._writer = writer
        self._called = called
        self._wall_time = wall_time
        # What is in memory must be what was stored last.
        self._turn = asyncio.Lock()
        self._working: set[asyncio.Task[Any]] = set()

    async def drain(self, name: str, by: str) -> Drained:
        """Send nothing new to a host or a service; returns when that is durable.

        by: the principal who wants it.

        Raises:
            InvalidValue: it is the name of something else, or too much is drained.
            NotFound: nothing of the name is registered.
            StorageUnavailable: the disk did not take it; nothing changed.
        """
        return await self._whole(self._drain(name, by))

    async def undrain(self, name: str) -> Undrained:
        """Take that back; returns when that is durable.

        Raises:
            InvalidValue, NotFound, StorageUnavailable: as `drain`.
        """
        return await self._whole(self._undrain(name))

    async def _drain(self, name: str, by: str) -> Drained:
        membership = self._cluster.membership
        async with self._turn:
            self._require(name)
            changed = name not in membership.drained
            if changed:
                if len(membership.drained) >= MAX_DRAINS:
                    raise InvalidValue(
                        f"{MAX_DRAINS} names are drained already; undrain some", param="name"
                    )
                drain = Drain(name, self._wall_time(), by)
                await self._writer.run(drains.add, drain)
                self._cluster.drain(drain)
        return Drained(membership.services_of(name), changed)

    async def _undrain(self, name: str) -> Undrained:
        membership = self._cluster.membership
        async with self._turn:
            self._require(name)
            changed = name in membership.drained
            if changed:
                await self._writer.run(drains.remove, name)
                self._cluster.undrain(name)
        free: list[str] = []
        still: list[str] = []
        for service_id in membership.services_of(name):
            (still if membership.drained.names_over(service_id) else free).append(service_id)
        return Undrained(free, still, changed)

    def _require(self, name: str) -> None:
        """Let names pass that can be drained, or are."""
        membership = self._cluster.membership
        known = name in membership.members or membership.offer(name) is not None
        if known or name in membership.drained:
            return
        shown = repr(name[:MAX_NAME])
        if noun := self._called(name):
            raise InvalidValue(
                f"{shown} is a {noun}; what is drained is a host or a service", param="name"
            )
        raise NotFound(f"no host or service {shown} is registered")

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        # Whoever asks may go away while the disk works: what is stored must count, too.
        working = asyncio.ensure_future(work)
        self._working.add(working)
        working.add_done_callback(self._working.discard)
        return await asyncio.shield(working)
