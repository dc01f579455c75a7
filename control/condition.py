"""How the cluster as a whole stands, in a few numbers."""

from collections.abc import Callable

from geniehive.v1 import discovery_service_pb2 as pb

from control.cluster import Cluster
from control.inventory import Health, HostState
from control.live import Loads
from control.members import Member, Offer
from control.pacing import Rest
from control.publisher import Publisher
from control.rules.reloading import Status
from control.table.watch import Hub

MAX_UNUSABLE = MAX_DRAINS = 100


class Condition:
    """Sums up everybody's parts.

    rules: how the catalog was read. sample_count: of benchmarks. now: the monotonic clock,
    on which control starts now.
    """

    def __init__(
        self,
        cluster: Cluster,
        publisher: Publisher,
        routes: Hub,
        loads: Loads,
        rules: Callable[[], Status],
        sample_count: Callable[[], int],
        now: Callable[[], float],
        version: str,
    ) -> None:
        self._cluster = cluster
        self._publisher = publisher
        self._routes = routes
        self._loads = loads
        self._rules = rules
        self._sample_count = sample_count
        self._now = now
        self._version = version
        self._started = now()

    @property
    def rules_read_at(self) -> float:
        """When the catalog was read, in seconds since 1970."""
        return self._rules().loaded_at

    async def message(self, rest: Rest) -> pb.GetClusterHealthResponse:
        """Return the sums. rest: lets others run between two hosts."""
        message = self._of_control()
        membership = self._cluster.membership
        message.online_host_count = membership.online
        for drain in membership.drained.listed(MAX_DRAINS):
            one = message.drains.add(name=drain.name, principal_id=drain.by)
            one.start_time.FromMilliseconds(int(drain.since * 1000))
        for member in list(membership.members.values()):
            message.host_count += 1
            message.lost_host_count += member.state is HostState.LOST
            for offer in member.offers.values():
                self._count(message, member, offer)
            await rest()
        return message

    def _of_control(self) -> pb.GetClusterHealthResponse:
        rules = self._rules()
        message = pb.GetClusterHealthResponse(
            in_flight=self._loads.in_flight,
            waiting=self._loads.waiting.total,
            gateway_count=len({watcher.gateway_id for watcher in self._routes.watchers}),
            route_version=self._routes.identity.version,
            settled=self._routes.settled,
            control_version=self._version,
            unusable_resources=self._routes.unusable(MAX_UNUSABLE),
            spared_host_count=self._cluster.spared,
            role_count=rules.roles,
            catalog_problem=rules.problem,
            benchmark_sample_count=self._sample_count(),
        )
        now = self._now()
        changed_at = self._publisher.changed_at
        since = self._started if changed_at is None else changed_at
        message.route_age.FromMilliseconds(int((now - since) * 1000))
        message.uptime.FromMilliseconds(int((now - self._started) * 1000))
        return message

    def _count(self, message: pb.GetClusterHealthResponse, member: Member, offer: Offer) -> None:
        membership = self._cluster.membership
        message.service_count += 1
        message.healthy_service_count += membership.health(offer) is Health.HEALTHY
        ejection = self._loads.ejections.of(offer.service.service_id)
        message.ejected_count += ejection is not None and ejection.remaining > 0
        if not membership.well(member, offer):
            return
        # What is held back still serves what nobody else does.
        message.asset_count += len(offer.service.assets)
        message.loaded_asset_count += sum(asset.loaded for asset in offer.service.assets)
        if membership.held_back(offer):
            message.held_back_count += 1
        else:
            message.routable_service_count += 1
