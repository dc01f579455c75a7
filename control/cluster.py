"""The cluster as control's services see it: membership, with everything that must follow it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from control.api.errors import StorageUnavailable
from control.drains import Drain
from control.evidence import Evidence
from control.inventory import Health, Host, Machine, Service
from control.keeper import Keeper
from control.measured import Counts
from control.members import Answer, Beat, Lease, Offer
from control.membership import Membership
from control.pace import Pace
from control.probing.samples import HealthSample
from control.publisher import Publisher
from control.ranking.offering import Rules
from control.settling import Settling

SWEEP_S = 0.25
# A sweep this late means that control was stopped or starved, not that nodes were silent.
LATE_S = 1.0
# After a change, gateways serve by the table of before for so long at most.
TABLE_S = 0.1
DEAF_S = 2.0  # without a word of any gateway; connected ones speak four times a second

log = logging.getLogger(__name__)


class Cluster:
    """Applies what nodes say and what time does, then stores and publishes the changes.

    now: the monotonic clock, in seconds. grace: seconds that hosts of control's
    last life have to come back, at least. gateway_silence: seconds since a gateway was
    heard last. evidence: the publisher asks it, too. follow: told which services changed.
    in_flight: requests at services now; see `Loads.left`.
    """

    def __init__(
        self,
        membership: Membership,
        keeper: Keeper,
        publisher: Publisher,
        now: Callable[[], float],
        grace: float,
        gateway_silence: Callable[[], float] = lambda: 0.0,
        evidence: Evidence | None = None,
        follow: Callable[[Collection[str]], None] = lambda _: None,
        in_flight: Callable[[Iterable[str], float], int] = lambda _, __: 0,
    ) -> None:
        self.membership = membership
        self.evidence = evidence or Evidence()
        self.probes: Counter[Health] = Counter()  # made so far, by what they found
        self.spared = 0  # hosts that are silent and not lost, because too many are
        self._cut_off = False  # from services, as far as probes tell
        self._keeper = keeper
        self._publisher = publisher
        self._now = now
        self._gateway_silence = gateway_silence
        self._told = follow
        self._in_flight = in_flight
        self._swept: float | None = None  # when leases were last looked at
        self._settling = Settling(
            expected=membership.returning > 0,
            return_time=membership.return_time,
            grace=grace,
            now=now(),
        )

    @property
    def settled(self) -> bool:
        """Whether what is not registered is gone: all hosts are back, or had their time."""
        return self._settling.settled(
            self.membership.returning, self.membership.online, self._now()
        )

    async def register(
        self,
        host: Host,
        instance_id: str,
        offers: Sequence[Offer],
        machine: Machine | None = None,
    ) -> tuple[Lease, Pace]:
        """See `Membership.register`; returns when the host is durable, or the disk unable."""
        self._account_for_absence()
        lease, pace = self.membership.register(host, instance_id, offers, self._now(), machine)
        if lease.generation == 1:
            self._settling.met(self._now())
        log.info("host %s registered, %d services", host.host_id, len(offers))
        self._see(host.host_id)
        self._follow()
        await self._keeper.kept()
        return lease, pace

    def beat(self, beat: Beat) -> Answer:
        """See `Membership.beat`."""
        self._account_for_absence()
        dropped = self.membership.dropped_values
        answer = self.membership.beat(beat, self._now())
        for service_id, reason in answer.refused.items():
            log.warning("host %s: %r refused: %s", beat.lease.host_id, service_id, reason)
        if self.membership.dropped_values != dropped:
            log.debug("host %s: unusable observed values dropped", beat.lease.host_id)
        self._see(beat.lease.host_id)
        self._follow()
        member = self.membership.members[beat.lease.host_id]
        since = member.leaving_since
        within = float("inf") if since is None else self._now() - since - TABLE_S
        return replace(answer, in_flight=self._in_flight(member.offers, within))

    async def deregister(self, host_id: str, lease: Lease | None) -> None:
        """See `Membership.deregister`; returns when that is durable.

        Raises:
            StorageUnavailable: it is done, and is not durable yet; that is tried on.
        """
        self._account_for_absence()
        self.membership.deregister(host_id, lease, self._now())
        log.info("host %s deregistered", host_id)
        self._follow()
        if not await self._keeper.kept():
            raise StorageUnavailable(
                f"host {host_id!r} is removed, but the database does not take it now;"
                " unless it does before control restarts, the host will be listed again"
            )

    def drain(self, drain: Drain) -> None:
        """See `Membership.drain`."""
        self.membership.drain(drain)
        log.info("%s is drained by %s", drain.name, drain.by)
        self._follow()

    def undrain(self, name: str) -> None:
        """See `Membership.undrain`."""
        self.membership.undrain(name)
        log.info("%s is drained no longer", name)
        self._follow()

    def measured(self, service_id: str, counts: Counts) -> None:
        """Take note of what a gateway measured; routes follow with the next sweep."""
        self.evidence.add(service_id, counts, self._now())

    def probed(self, service: Service, sample: HealthSample) -> None:
        """See `Membership.probed`."""
        self.probes[sample.finding.health] += 1
        self.membership.probed(service, sample, self._now())
        self._follow()

    def unprobed(self, service_id: str) -> None:
        """See `Membership.unprobed`."""
        self.membership.unprobed(service_id, self._now())
        self._follow()

    def rule(self, rules: Rules) -> None:
        """Follow new rules; what they change is published soon."""
        self.evidence.rule(rules.scoring)
        self._publisher.rule(rules)
        self._follow()

    def begin(self) -> None:
        """Publish what is known from control's last life; to be called before anybody asks."""
        self._follow()
        self._publisher.publish()

    async def keep_time(self) -> None:
        """End leases and the grace period when they are over, until cancelled."""
        self._swept = self._now()
        while True:
            await asyncio.sleep(SWEEP_S)
            self._account_for_absence()
            self._swept = now = self._now()
            self._sweep(now)

    def _account_for_absence(self) -> None:
        """Forgive everybody the time in which control itself did not run.

        Whatever runs first after a standstill calls it: a lease is not over because
        control was away, neither for its holder nor for another instance.
        """
        if self._swept is None:
            return
        now = self._now()
        if (late := now - self._swept - SWEEP_S) > LATE_S:
            log.warning("control did not run for %.1f s; leases and grace are longer by that", late)
            self.membership.forgive(late)
            self._settling.forgive(late)
            self._swept = now

    def _sweep(self, now: float) -> None:
        if self._settling.grace_is_over(now):
            for host_id in self.membership.end_grace(now):
                log.warning("host %s did not come back", host_id)
        lost, spared = self.membership.expire(now, deaf=self._gateway_silence() > DEAF_S)
        if spared and not self.spared:
            log.error(
                "%d hosts went silent together, with most others or with the gateways; control"
                " itself may be cut off, so none is lost",
                spared,
            )
        if self.spared and not spared:
            log.warning("hosts are heard again; a silent one is lost, as ever")
        self.spared = spared
        self._tell_cut_off()
        for host_id in lost:
            log.warning("host %s is lost: no heartbeat", host_id)
        for name in self.membership.release(now):
            log.info("%s has been quiet; it is held back no longer", name)
        self.evidence.look(now)
        self._follow()

    def _tell_cut_off(self) -> None:
        probes = self.membership.probes
        if probes.cut_off and not self._cut_off:
            log.error(
                "probes of %d services get no answer, although their nodes call them well; control"
                " itself may be cut off from them, so no more are withdrawn",
                probes.silent,
            )
        if self._cut_off and not probes.cut_off:
            log.warning("most services answer probes again; who does not is withdrawn, as ever")
        self._cut_off = probes.cut_off

    def _see(self, host_id: str) -> None:
        now = self._now()
        for offer in self.membership.members[host_id].offers.values():
            self.evidence.see(offer, now)

    def _follow(self) -> None:
        for name in self.membership.flaps.take_news():
            log.warning("%s comes and goes; it is held back until it stays", name)
        changes = self.membership.take_changes()
        self._keeper.note(changes.hosts)
        for service_id in changes.services:
            if self.membership.offer(service_id) is None:
                self.evidence.forget(service_id)
        self._told(changes.services)
        dirty = changes.services | self.evidence.take_changed()
        self._publisher.note(dirty, settled=self.settled)
