"""Who is in the cluster: hosts, their leases and what they offer. A state machine without I/O.

RETURNING ──register──▶ ONLINE ──lease expired──▶ LOST ──register──▶ ONLINE
     └──────────grace over──────────────────────▶ LOST

`now` is always control's monotonic clock; clocks of nodes are never trusted.
What changed is gathered until the caller takes it, to store and to publish it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from control import admission, health, machines, observations
from control.allowance import CALLS_PER_SECOND
from control.api.errors import HostIdInUse, LeaseLost, NotFound, RateLimited
from control.drains import Drain, Drains
from control.flaps import Flaps
from control.inventory import (
    UNMEASURED,
    Health,
    Host,
    HostState,
    Machine,
    Observation,
    Service,
)
from control.members import Answer, Beat, Changes, Lease, Member, Offer
from control.offers import differs, moved, taken
from control.pace import Pace, Rhythm, pace, return_time
from control.probing.records import Records
from control.probing.samples import HealthSample
from control.silence import SILENT_INTERVALS, Silence

# One that beats, and those that the node left without a word and that are still to be noticed.
MAX_STREAMS = 4


class Membership:
    """All hosts, and the rules of their lives.

    rhythm: the pace in a small fleet; jitter: returns 0 to 1, random.
    """

    def __init__(self, rhythm: Rhythm, jitter: Callable[[], float]) -> None:
        self.members: dict[str, Member] = {}
        self.waiting: dict[str, int] = {}  # requests waiting inside engines, by service
        self.dropped_values = 0  # observed values that could not be used, so far
        self.beats = 0  # taken, so far
        self.flaps = Flaps()  # of services and hosts, by id
        self.probes = Records()  # of services, by id
        self.drained = Drains()  # by operators, whatever nodes say
        self._rhythm = rhythm
        self._jitter = jitter
        self._online = 0
        self._returning = 0
        self._silence = Silence()
        self._hosts: set[str] = set()
        self._services: set[str] = set()

    # What others ask.

    def offer(self, service_id: str) -> tuple[Member, Offer] | None:
        """Return a service with its host, or None when it is not registered."""
        member = self.members.get(service_id.partition("/")[0])
        found = member.offers.get(service_id) if member else None
        return (member, found) if member and found else None

    def service(self, service_id: str) -> Service | None:
        """Return a service, or None when it is not registered."""
        found = self.offer(service_id)
        return found[1].service if found else None

    def services_of(self, name: str) -> list[str]:
        """Return the services that a name means, ordered: those of a host, or itself."""
        if (member := self.members.get(name)) is not None:
            return sorted(member.offers)
        return [name] if self.offer(name) else []

    def offers(self) -> Iterator[tuple[Member, Offer]]:
        """Yield every service with its host, in no order."""
        for member in self.members.values():
            for offer in member.offers.values():
                yield member, offer

    def routable(self, member: Member, offer: Offer) -> bool:
        """Return whether requests go to a service of `member` now, whoever else there is."""
        return self.well(member, offer) and not self.held_back(offer)

    def well(self, member: Member, offer: Offer) -> bool:
        """Return whether requests may go to a service of `member` now."""
        return not self.is_drained(offer) and health.well(
            member.state, self.health(offer), offer.observation.availability
        )

    def health(self, offer: Offer) -> Health:
        """Return whether a service is well, by its node and by probes together."""
        probed = self.probes.health(offer.service.service_id)
        return health.combined(offer.observation.health, probed)

    def why_unwell(self, offer: Offer) -> str:
        """Return in words what probes say of a service that they call worse than its node does."""
        record = self.probes.of(offer.service.service_id)
        worse = self.health(offer) is not offer.observation.health
        return record.words if record is not None and worse else ""

    def held_back(self, offer: Offer) -> bool:
        """Return whether a service, or its host, comes and goes too often to be relied upon."""
        service = offer.service
        return self.flaps.holds(service.service_id) or self.flaps.holds(service.host_id)

    def held_back_for(self, offer: Offer, now: float) -> float:
        """Return for how many seconds it is so still, 0.0 when it is not."""
        service = offer.service
        return max(self.flaps.left(one, now) for one in (service.service_id, service.host_id))

    def is_drained(self, offer: Offer) -> bool:
        """Return whether an operator sends a service nothing new, or nothing to its host."""
        return bool(self.drained.names_over(offer.service.service_id))

    @property
    def online(self) -> int:
        """How many hosts hold a live lease."""
        return self._online

    @property
    def returning(self) -> int:
        """How many hosts of control's last life have not come back yet."""
        return self._returning

    @property
    def return_time(self) -> float:
        """Within how many seconds the whole fleet is back after control is."""
        return return_time(self._rhythm, self._online + self._returning)

    def take_changes(self) -> Changes:
        """Return what changed since the last call."""
        changes = Changes(frozenset(self._hosts), frozenset(self._services))
        self._hosts.clear()
        self._services.clear()
        return changes

    # What nodes do.

    def register(
        self,
        host: Host,
        instance_id: str,
        offers: Sequence[Offer],
        now: float,
        machine: Machine | None = None,
    ) -> tuple[Lease, Pace]:
        """Grant a lease to an instance of a host, replacing what was known of it.

        machine: what else its node found on the machine.

        Raises:
            InvalidValue: the definition is refused.
            HostIdInUse: another instance is alive.
            RateLimited: the host registers more often than anybody needs to.
        """
        host = replace(host, resources=machines.clean_resources(host.resources))
        admission.check_registration(host, instance_id, [offer.service for offer in offers])
        member = self.members.get(host.host_id)
        if member is not None and member.instance_id != instance_id and _alive(member, now):
            raise HostIdInUse(
                f"another instance of host {host.host_id!r} is alive; stop it,"
                " or give one of the two another host_id"
            )
        if member is None:
            member = self.members[host.host_id] = Member(host, 0, now)
            self._returning += 1  # until it is set online below
        _admit(member, now)  # not before: another instance must not use up what this one may do
        if member.host != host:
            self._services.update(member.offers)  # routing looks at labels and tiers, too
        member.host = host
        member.generation += 1
        member.instance_id = instance_id
        member.sequence = member.streams = 0
        member.leaving_since = None
        member.metrics = UNMEASURED
        member.machine = None if machine is None else machines.clean(machine)
        self._hosts.add(host.host_id)
        self._set_offers(
            member,
            {
                offer.service.service_id: Offer(offer.service, self._clean(offer.observation))
                for offer in offers
            },
            now,
        )
        self._set_state(member, HostState.ONLINE, now)
        return member.lease, self._renew(member, now)

    def beat(self, beat: Beat, now: float) -> Answer:
        """Renew a lease and take over what the node sees; an old beat changes nothing.

        Raises:
            LeaseLost: the lease is unknown, replaced or expired.
            RateLimited: the node beats more often than any does.
        """
        member = self._holder(beat.lease)
        _admit(member, now)
        if beat.sequence <= member.sequence:
            return Answer(self._pace())
        member.sequence = beat.sequence
        self.beats += 1
        metrics, dropped = observations.clean_metrics(beat.metrics)
        member.metrics = metrics
        if beat.machine is not None:
            member.machine = machines.clean(beat.machine)
        found = taken(member.host.host_id, member.offers, beat.services)
        self.dropped_values += dropped + found.dropped
        if found.redefined:
            self._hosts.add(member.host.host_id)
        self._set_offers(member, found.offers, now)
        member.note_leaving(now)
        return Answer(self._renew(member, now), found.wanted, found.refused)

    def open_stream(self, lease: Lease) -> None:
        """Note that a stream carries the beats of `lease`.

        Raises:
            LeaseLost: the lease is unknown, replaced or expired.
            RateLimited: more streams carry it than any node opens.
        """
        member = self._holder(lease)
        if member.streams >= MAX_STREAMS:
            raise RateLimited(f"host {lease.host_id!r} has {MAX_STREAMS} streams open already")
        member.streams += 1
        member.detached = False

    def close_stream(self, lease: Lease) -> None:
        """Note that such a stream ended: the host is not lost, but may be taken over."""
        member = self.members.get(lease.host_id)
        if member is not None and member.lease == lease and member.streams > 0:
            member.streams -= 1
            member.detached = member.streams == 0

    def deregister(self, host_id: str, lease: Lease | None, now: float) -> None:
        """Remove a host and all its services.

        lease: as the node holds it; None when an administrator removes the host.

        Raises:
            NotFound: the host is not registered.
            LeaseLost: the lease is not the host's own.
        """
        if lease is not None:
            member = self._holder(replace(lease, host_id=host_id))
        elif (found := self.members.get(host_id)) is not None:
            member = found
        else:
            raise NotFound(f"host {host_id!r} is not registered")
        self._set_state(member, HostState.LOST, now)
        self._set_offers(member, {}, now)
        self._hosts.add(host_id)
        del self.members[host_id]

    # What operators do.

    def drain(self, drain: Drain) -> None:
        """Send nothing new to a host or a service, there or not, until `undrain`."""
        self.drained.put(drain)
        self._services.update(self.services_of(drain.name))

    def undrain(self, name: str) -> None:
        """Take that back; what is drained by another name as well stays so."""
        self.drained.drop(name)
        self._services.update(self.services_of(name))

    # What probes do.

    def probed(self, asked: Service, sample: HealthSample, now: float) -> None:
        """Take what a probe found of a service, unless it has another server by now."""
        found = self.offer(asked.service_id)
        if found is None or moved(asked, found[1].service):
            return
        before = self.health(found[1])
        called_well = found[1].observation.health is Health.HEALTHY
        self.probes.take(asked.service_id, sample, called_well=called_well)
        self._note_health(*found, before, now)

    def unprobed(self, service_id: str, now: float) -> None:
        """Forget what probes found of a service."""
        if (found := self.offer(service_id)) is not None:
            before = self.health(found[1])
            self.probes.forget(service_id)
            self._note_health(*found, before, now)

    # What time does.

    def restore(
        self, host: Host, generation: int, services: Iterable[Service], heard: float
    ) -> None:
        """Take over a host of control's last life; it is expected to come back.

        heard: when a beat last came, on the monotonic clock.
        """
        offers = {service.service_id: Offer(service) for service in services}
        self.members[host.host_id] = Member(host, generation, heard, offers=offers)
        self._returning += 1
        self._services.update(offers)

    def expire(self, now: float, *, deaf: bool = False) -> tuple[list[str], int]:
        """End the leases that are over; return their hosts, and how many silent ones are spared.

        See `Silence.judge`. deaf: whether no gateway is heard, either.
        """
        members, lease = self.members.values(), self._pace().lease
        lost, spared = self._silence.judge(members, lease, now, deaf=deaf)
        for member in lost:
            self._set_state(member, HostState.LOST, now)
        return [member.host.host_id for member in lost], spared

    def forgive(self, seconds: float) -> None:
        """Lengthen every lease by a time in which control itself did not run."""
        for member in self.members.values():
            member.deadline += seconds
            member.silent_at += seconds

    def release(self, now: float) -> list[str]:
        """Let go of services and hosts that were held back for long enough; return them."""
        names = self.flaps.release(now)
        for name in names:
            self._services.update(self.services_of(name))
        return names

    def end_grace(self, now: float) -> list[str]:
        """Give up on the hosts that did not come back; return them."""
        if not self._returning:
            return []
        gone = [m for m in self.members.values() if m.state is HostState.RETURNING]
        for member in gone:
            self._set_state(member, HostState.LOST, now)
        return [member.host.host_id for member in gone]

    # How it is done.

    def _holder(self, lease: Lease) -> Member:
        member = self.members.get(lease.host_id)
        if member is None or member.state is not HostState.ONLINE or member.lease != lease:
            raise LeaseLost(f"host {lease.host_id[:64]!r} holds no such live lease; register again")
        return member

    def _set_offers(self, member: Member, offers: dict[str, Offer], now: float) -> None:
        before, member.offers = member.offers, offers
        online = member.state is HostState.ONLINE
        gone = before.keys() - offers.keys()
        self._services |= gone
        for service_id in gone:
            self.waiting.pop(service_id, None)
            if online and self.health(before[service_id]) is Health.HEALTHY:
                self.flaps.fell(service_id, now)
            self.probes.forget(service_id)
        for service_id, offer in offers.items():
            held = before.get(service_id)
            if held is None or differs(held, offer):
                self._services.add(service_id)
            if held is not None:
                was = self.health(held)
                if moved(held.service, offer.service):
                    self.probes.forget(service_id)
                self._note_health(member, offer, was, now)
            if offer.observation.queue_depth:
                self.waiting[service_id] = offer.observation.queue_depth
            else:
                self.waiting.pop(service_id, None)

    def _note_health(self, member: Member, offer: Offer, before: Health, now: float) -> None:
        """Note what it means that a service is not as it was `before`, if it is not."""
        after = self.health(offer)
        if (before is Health.HEALTHY) == (after is Health.HEALTHY):
            return  # no other difference is one to routing
        self._services.add(offer.service.service_id)
        if member.state is HostState.ONLINE and health.falls(before, after):
            self.flaps.fell(offer.service.service_id, now)

    def _clean(self, seen: Observation) -> Observation:
        kept, dropped = observations.clean(seen)
        self.dropped_values += dropped
        return kept

    def _renew(self, member: Member, now: float) -> Pace:
        told = self._pace()
        member.heard_at = now
        member.deadline = now + told.lease
        member.silent_at = now + SILENT_INTERVALS * told.lease / self._rhythm.lease_intervals
        member.detached = False
        return told

    def _pace(self) -> Pace:
        # Those that are on their way back will beat, too, and must not all come at once.
        return pace(self._rhythm, self._online + self._returning, self._jitter())

    def _set_state(self, member: Member, state: HostState, now: float) -> None:
        if member.state is state:
            return
        if member.state is HostState.ONLINE:
            self.flaps.fell(member.host.host_id, now)
        for counted, step in ((member.state, -1), (state, 1)):
            self._online += step if counted is HostState.ONLINE else 0
            self._returning += step if counted is HostState.RETURNING else 0
        member.state = state
        self._services.update(member.offers)


def _alive(member: Member, now: float) -> bool:
    return member.state is HostState.ONLINE and not member.detached and now < member.deadline


def _admit(member: Member, now: float) -> None:
    """Take one call from what a host may do."""
    if not member.allowance.take(now):
        raise RateLimited(
            f"host {member.host.host_id!r} calls more than {CALLS_PER_SECOND:.0f} times a second"
        )
