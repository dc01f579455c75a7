"""Brings changes of the membership into the pushed route table, at a bounded rate."""

import asyncio
import logging
from collections.abc import Iterable

from control import health
from control.inventory import HostState
from control.membership import Membership
from control.table.compile import Compiler, Entry, Presence
from control.table.watch import Hub

# The first change goes out at once; those that follow within this time go together.
COALESCE_S = 0.010

log = logging.getLogger(__name__)


class Publisher:
    """Compiles dirty services and publishes what that changes."""

    def __init__(self, membership: Membership, compiler: Compiler, hub: Hub) -> None:
        self._membership = membership
        self._compiler = compiler
        self._hub = hub
        self._dirty: dict[str, None] = {}  # a set that keeps its order
        self._settled = hub.settled
        self._timer: asyncio.TimerHandle | None = None
        self._published_at = float("-inf")
        self.changed_at: float | None = None  # loop time of the last real change

    def note(self, service_ids: Iterable[str], *, settled: bool) -> None:
        """Take note that services changed or went; they are published soon.

        settled: whether absence from the table means gone.
        """
        self._dirty.update(dict.fromkeys(service_ids))
        self._settled = settled
        if self._timer is not None or (not self._dirty and settled == self._hub.settled):
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._published_at + COALESCE_S, self.publish)

    def publish(self) -> None:
        """Publish what was noted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._published_at = asyncio.get_running_loop().time()
        entries = {service_id: self._entry(service_id) for service_id in self._dirty}
        self._dirty.clear()
        delta = self._compiler.update(entries, self._hub.table)
        was_settled = self._hub.settled
        if not self._hub.publish(delta, settled=self._settled):
            return
        if self._settled and not was_settled:
            log.info("settled: what is not registered now is gone")
        self.changed_at = self._published_at
        log.debug(
            "routes v%d: %d changed, %d gone",
            self._hub.identity.version,
            len(delta.upserts),
            len(delta.tombstones),
        )

    def _entry(self, service_id: str) -> Entry | None:
        found = self._membership.offer(service_id)
        if found is None:
            return None
        member, offer = found
        if member.state is HostState.RETURNING:
            return Entry(offer.service, Presence.UNDECIDED)
        if health.routable(member.state, offer.observation.health):
            return Entry(offer.service, Presence.ROUTABLE)
        return Entry(offer.service, Presence.UNROUTABLE)
