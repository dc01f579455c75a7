"""Keeps the store in step with the membership, and membership independent of the store.

Changes are written at once, the times of heartbeats once a second. What the disk
does not take is tried again each second, from the state that there is then; so
nothing queues up, and no node notices.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import ParamSpec

from control.api.errors import StorageUnavailable
from control.members import Member
from control.membership import Membership
from control.store import hosts
from control.store.database import Writer
from control.store.hosts import StoredHost

LIVENESS_S = 1.0
RETRY_S = 1.0
# A caller that waits for its change to be durable waits no longer than this.
PATIENCE_S = 2.0

P = ParamSpec("P")

log = logging.getLogger(__name__)


class Keeper:
    """Writes what changed.

    wall_time: of a moment on the monotonic clock, in seconds since 1970.
    """

    def __init__(
        self, membership: Membership, writer: Writer, wall_time: Callable[[float], float]
    ) -> None:
        self._membership = membership
        self._writer = writer
        self._wall_time = wall_time
        self._unsaved: set[str] = set()
        self._wake = asyncio.Event()
        self._round: asyncio.Future[bool] | None = None  # whether what waits now was written
        self._heard: dict[str, float] = {}  # as stored, monotonic
        self._failing = False

    def note(self, host_ids: Iterable[str]) -> None:
        """Take note that hosts changed or went; they are written soon."""
        self._unsaved.update(host_ids)
        if self._unsaved:
            self._wake.set()

    async def kept(self) -> bool:
        """Wait for what was noted so far; return whether it is durable now.

        It is not when the disk does not take it, or not soon.
        """
        if self._failing or not self._unsaved:
            return not self._unsaved
        if self._round is None:
            self._round = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait({self._round}, timeout=PATIENCE_S)
        return all(one.result() for one in done) and bool(done)

    async def run(self) -> None:
        """Write until cancelled."""
        loop = asyncio.get_running_loop()
        liveness_due = loop.time() + LIVENESS_S
        while True:
            left = max(0.0, liveness_due - loop.time())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left)
            await self.save_changes()
            if loop.time() >= liveness_due:
                await self.save_liveness()
                liveness_due = loop.time() + LIVENESS_S
            if self._failing:
                await asyncio.sleep(RETRY_S)

    async def save_changes(self) -> None:
        """Write the hosts that were noted, once."""
        self._wake.clear()
        changed, self._unsaved = self._unsaved, set()
        waiting, self._round = self._round, None
        written = True
        if changed:
            members = self._membership.members
            present = [self._stored(members[one]) for one in changed if one in members]
            gone = [one for one in changed if one not in members]
            written = await self._write(hosts.save, present, gone)
            if not written:
                self._unsaved |= changed
        if waiting is not None and not waiting.done():
            waiting.set_result(written)

    async def save_liveness(self) -> None:
        """Write when hosts were last heard of, for those that were heard of since."""
        heard = {
            host_id: member.heard_at
            for host_id, member in self._membership.members.items()
            if self._heard.get(host_id) != member.heard_at
        }
        times = [(host_id, self._wall_time(at)) for host_id, at in heard.items()]
        if heard and await self._write(hosts.note_heartbeats, times):
            self._heard = {
                host_id: at
                for host_id, at in (self._heard | heard).items()
                if host_id in self._membership.members
            }

    async def _write(self, job: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Return whether the store took it. Says once that it fails, and once that it works."""
        try:
            await self._writer.run(job, *args, **kwargs)
        except StorageUnavailable as error:
            if not self._failing:
                log.error("%s; hosts and routes go on in memory", error)
            self._failing = True
            return False
        if self._failing:
            log.info("the database takes changes again")
        self._failing = False
        return True

    def _stored(self, member: Member) -> StoredHost:
        return StoredHost(
            host=member.host,
            generation=member.generation,
            heartbeat_time=self._wall_time(member.heard_at),
            services=tuple(offer.service for offer in member.offers.values()),
        )
