"""Brings changes of the membership into the pushed route table, at a bounded rate."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import islice

from control.inventory import Host, HostState
from control.members import Member, Offer
from control.membership import Membership
from control.ranking.offering import ASSET, Rules
from control.ranking.subject import Subject
from control.table.compile import Compiler, Entry
from control.table.diff import Delta
from control.table.offered import Presence
from control.table.resources import Target
from control.table.watch import Hub

# The first change goes out at once; those that follow within this time go together.
COALESCE_S = 0.010
# Offers and resources made in one go, about 15 us each; heartbeats are answered in between.
# A service that serves a hundred roles is told in one update.
SLICE = 210
# So long services are looked at in one go: those that were benchmarked take 50 us each.
LOOK_S = 0.002

log = logging.getLogger(__name__)


class Publisher:
    """Compiles dirty services and publishes what that changes.

    subject: tells all that is seen of a service.
    """

    def __init__(
        self,
        membership: Membership,
        compiler: Compiler,
        hub: Hub,
        now: Callable[[], float],
        subject: Callable[[Host, Offer], Subject] = lambda host, offer: Subject(
            host, offer.service
        ),
    ) -> None:
        self._membership = membership
        self._compiler = compiler
        self._hub = hub
        self._now = now
        self._subject = subject
        self._dirty: dict[str, None] = {}  # a set that keeps its order
        self._settled = hub.settled
        self._timer: asyncio.TimerHandle | None = None
        self._not_before = float("-inf")
        self.changed_at: float | None = None  # when the table last really changed

    def note(self, service_ids: Iterable[str], *, settled: bool) -> None:
        """Take note that services changed or went; they are published soon.

        settled: whether absence from the table means gone.
        """
        self._dirty.update(dict.fromkeys(service_ids))
        self._settled = settled
        if self._timer is None and self._due():
            loop = asyncio.get_running_loop()
            delay = max(0.0, self._not_before - self._now())
            self._timer = loop.call_later(delay, self._publish_soon)

    def rule(self, rules: Rules) -> None:
        """Follow new rules; what they change is published soon, a slice at a time."""
        self._compiler.rule(rules)
        self.note((), settled=self._settled)

    def publish(self) -> None:
        """Publish all that was noted, now."""
        while self._due():
            self._publish_slice()

    def _due(self) -> bool:
        return self._unfinished() or self._settled != self._hub.settled

    def _unfinished(self) -> bool:
        return bool(self._dirty or self._compiler.waiting)

    def _publish_soon(self) -> None:
        started = self._now()
        try:
            self._publish_slice()
        finally:
            # Whatever broke, later changes must come through.
            now = self._now()
            # Never more than half of the time, however much there is to publish.
            pause = 0.0 if self._unfinished() else COALESCE_S
            self._not_before = now + max(now - started, pause)
            self._timer = None
            self.note((), settled=self._settled)

    def _publish_slice(self) -> None:
        if self._settled:
            self._compiler.settle()
        until = self._now() + LOOK_S
        for service_id in list(islice(self._dirty, max(0, SLICE - self._compiler.arriving))):
            del self._dirty[service_id]
            self._compiler.take(service_id, self._entry(service_id))
            if self._now() >= until:
                break
        delta = self._compiler.make(self._hub.table, SLICE)
        # Only what comes with the last slice can say that the rest is gone.
        settled = self._hub.settled if self._unfinished() else self._settled
        was_settled = self._hub.settled
        self._tell_whose_names_roles_took(delta)
        if not self._hub.publish(delta, settled=settled):
            return
        self.changed_at = self._now()
        if settled and not was_settled:
            log.info("settled: what is not registered now is gone")
        log.debug(
            "routes v%d: %d changed, %d gone",
            self._hub.identity.version,
            len(delta.upserts),
            len(delta.tombstones),
        )

    def _tell_whose_names_roles_took(self, delta: Delta) -> None:
        for resource in delta.upserts:
            if not isinstance(resource.body, Target) or resource.name in self._hub.table:
                continue
            prefix, _, asset_id = resource.body.name.partition(ASSET)
            if not prefix and asset_id in self._compiler.rules.roles:
                log.warning(
                    "%r is a role and an asset; clients get the role, and the asset as %r",
                    asset_id,
                    resource.body.name,
                )

    def _entry(self, service_id: str) -> Entry | None:
        found = self._membership.offer(service_id)
        if found is None:
            return None
        member, offer = found
        return Entry(self._subject(member.host, offer), self._presence(member, offer))

    def _presence(self, member: Member, offer: Offer) -> Presence:
        if member.state is HostState.RETURNING and not self._membership.is_drained(offer):
            return Presence.UNDECIDED
        if not self._membership.well(member, offer):
            return Presence.UNROUTABLE
        return Presence.HELD_BACK if self._membership.held_back(offer) else Presence.ROUTABLE
