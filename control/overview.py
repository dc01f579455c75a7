"""What is known of services and roles at this moment, put together for whoever looks."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from control.api.strategies import Strategy
from control.ejections import Ejection
from control.inventory import Health, Observation
from control.live import Loads
from control.measured import Counts
from control.measurements import Measurements
from control.members import Member, Offer
from control.membership import Membership
from control.probing.records import Record
from control.ranking.candidates import Candidate
from control.ranking.offering import Rules
from control.ranking.roles import Role
from control.ranking.speed import Speed
from control.ranking.subject import Signals
from control.table.compile import Compiler


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service and everything that is known of it.

    heard_at: when its node last told of it, on the monotonic clock. roles: those that it
    would serve now, sorted, each with the asset that it would use. health: by its node and
    by probes together. probe: what these found, None when it is not probed. ejection: that
    gateways keep it out, which says nothing of its health.
    """

    offer: Offer
    heard_at: float
    health: Health
    probe: Record | None
    well: bool
    routable: bool
    drained: bool  # by an operator
    held_back: float  # seconds, 0.0 when it is not
    in_flight: int
    signals: Signals
    roles: Sequence[tuple[str, str]]
    counts: Counts
    ejection: Ejection | None
    waiting: int  # in gateways
    speeds: Mapping[str, Speed]  # by asset


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role and who would serve it now.

    loaded: candidates that have the asset in memory. first: of all, in the order of the
    route table. latency: the least of their medians, seconds; None when none is known.
    """

    role: Role
    strategy: Strategy
    candidates: int
    loaded: int
    first: Candidate | None
    latency: float | None


class Overview:
    """Looks at everything that control knows, and changes nothing.

    Of what is listed, nothing is promised about what comes or goes meanwhile. signals:
    tells how a service does, by its id and what its node sees of it. now: the
    monotonic clock.
    """

    def __init__(
        self,
        membership: Membership,
        compiler: Compiler,
        loads: Loads,
        measurements: Measurements,
        signals: Callable[[str, Observation], Signals],
        now: Callable[[], float],
    ) -> None:
        self._membership = membership
        self._compiler = compiler
        self._loads = loads
        self._measurements = measurements
        self._signals = signals
        self._now = now
        self._listed: tuple[Rules, list[str]] = Rules(), []

    @property
    def measured_since(self) -> float:
        """When what gateways measured begins, in seconds since 1970."""
        return self._measurements.since

    def find_host(self, host_id: str) -> Member | None:
        """Return a host that is registered."""
        return self._membership.members.get(host_id)

    def find_service(self, service_id: str) -> tuple[Member, Offer] | None:
        """Return a service that is registered, with its host."""
        return self._membership.offer(service_id)

    def hosts(self, after: str) -> Iterator[tuple[str, Member]]:
        """Yield the hosts whose id comes after one, in order of their ids."""
        members = self._membership.members
        for host_id in _after(after, sorted(members)):
            if (member := members.get(host_id)) is not None:
                yield host_id, member

    def drained(self, host_id: str) -> bool:
        """Return whether an operator sends a host nothing new."""
        return host_id in self._membership.drained

    def called(self, name: str) -> str:
        """Return what a name means to clients, `role` or `model`; empty for nothing."""
        if name in self._compiler.rules.roles:
            return "role"
        return "model" if any(name in of for of in self._compiler.targets.values()) else ""

    def services(self, after: str, host_id: str = "") -> Iterator[tuple[str, tuple[Member, Offer]]]:
        """Yield the services whose id comes after one, in order. host_id: only of that host."""
        members = self._membership.members
        # With what follows it in the id of a service, a host is where its services are.
        ordered = [f"{host_id}/"] if host_id else sorted([f"{one}/" for one in members])
        first = bisect_right(ordered, after)
        for prefix in ordered[max(0, first - 1) :]:
            if (member := members.get(prefix[:-1])) is not None:
                for service_id in _after(after, sorted(offers := member.offers)):
                    yield service_id, (member, offers[service_id])

    def service(self, member: Member, offer: Offer) -> ServiceView:
        """Return all that is known of a service of `member`."""
        membership, service_id = self._membership, offer.service.service_id
        well = membership.well(member, offer)
        speeds = self._loads.speeds.of(service_id)
        assets = [one.asset_id for one in offer.service.assets]
        return ServiceView(
            offer,
            member.heard_at,
            membership.health(offer),
            membership.probes.of(service_id),
            well,
            well and not membership.held_back(offer),
            membership.is_drained(offer),
            membership.held_back_for(offer, self._now()),
            self._loads.total(service_id),
            self._signals(service_id, offer.observation),
            sorted((role, one.asset_id) for role, one in self._compiler.roles(service_id)),
            self._measurements.of(service_id),
            self._loads.ejections.of(service_id),
            self._loads.waiting.of(service_id),
            {one: speeds[one] for one in assets if one in speeds},  # others it had once
        )

    def probe(self, service_id: str) -> Record | None:
        """Return what probes found of a service; None when it is not probed."""
        return self._membership.probes.of(service_id)

    def routable(self, member: Member, offer: Offer) -> bool:
        """Return whether requests go to a service of `member` now, whoever else there is."""
        return self._membership.routable(member, offer)

    def latency(self, offer: Offer) -> float | None:
        """Return the median time to an answer of a service in seconds, None when unknown."""
        return self._signals(offer.service.service_id, offer.observation).latency_p50

    def find_role(self, role_id: str) -> Role | None:
        """Return a role of the catalog."""
        return self._compiler.rules.roles.get(role_id)

    def roles(self, after: str) -> Iterator[tuple[str, Role]]:
        """Yield the roles whose id comes after one, in order of their ids."""
        rules = self._compiler.rules
        if self._listed[0] is not rules:
            self._listed = rules, sorted(rules.roles)
        for role_id in _after(after, self._listed[1]):
            yield role_id, rules.roles[role_id]

    def role(self, role: Role, latencies: Mapping[str, float]) -> RoleView:
        """Return who would serve a role. latencies: of services, in their order, where known."""
        offered = self._compiler.offered(role)
        meant = offered.meant
        quickest = offered.first_serving(latencies)
        return RoleView(
            role,
            Strategy(role.routing.strategy or self._compiler.rules.strategy),
            len(meant.candidates),
            meant.loaded,
            meant.candidates[0] if meant.candidates else None,
            None if quickest is None else latencies[quickest],
        )


def _after(name: str, names: Sequence[str]) -> Iterable[str]:
    return names[bisect_right(names, name) :]
