"""DiscoveryService: what is registered, as messages. Changes nothing."""

import base64
import binascii
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

import grpc
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as pb_grpc
from geniehive.v1 import inventory_pb2 as inventory_pb

from control import messages
from control.api.errors import InvalidValue, NotFound
from control.cluster import Cluster
from control.inventory import HostState
from control.live import Loads
from control.measured import measured
from control.measurements import Measurements
from control.members import Member, Offer
from control.publisher import Publisher
from control.table.watch import Hub

DEFAULT_PAGE = 100
MAX_PAGE = 1_000
MAX_NAME = 200
MAX_UNUSABLE = 100
TOKEN_PREFIX = "after:"


class DiscoveryServicer(pb_grpc.DiscoveryServiceServicer):
    """See the comments of the service in the contract.

    now: the monotonic clock, on which control started at `started`.
    wall_time: of a moment on it, in seconds since 1970.
    """

    def __init__(
        self,
        cluster: Cluster,
        publisher: Publisher,
        routes: Hub,
        loads: Loads,
        measurements: Measurements,
        now: Callable[[], float],
        wall_time: Callable[[float], float],
        version: str,
    ) -> None:
        self._cluster = cluster
        self._membership = cluster.membership
        self._publisher = publisher
        self._routes = routes
        self._loads = loads
        self._measurements = measurements
        self._now = now
        self._wall_time = wall_time
        self._version = version
        self._started = now()

    async def ListHosts(
        self,
        request: pb.ListHostsRequest,
        context: grpc.aio.ServicerContext[pb.ListHostsRequest, pb.ListHostsResponse],
    ) -> pb.ListHostsResponse:
        members = self._membership.members
        page, token = _page(sorted(members), request.page_size, request.page_token)
        return pb.ListHostsResponse(
            hosts=[self._host_message(members[host_id]) for host_id in page],
            next_page_token=token,
        )

    async def GetHost(
        self,
        request: pb.GetHostRequest,
        context: grpc.aio.ServicerContext[pb.GetHostRequest, pb.GetHostResponse],
    ) -> pb.GetHostResponse:
        member = self._membership.members.get(request.host_id)
        if member is None:
            raise NotFound(f"host {request.host_id[:MAX_NAME]!r} is not registered")
        return pb.GetHostResponse(host=self._host_message(member))

    async def ListServices(
        self,
        request: pb.ListServicesRequest,
        context: grpc.aio.ServicerContext[pb.ListServicesRequest, pb.ListServicesResponse],
    ) -> pb.ListServicesResponse:
        found = {
            offer.service.service_id: (member, offer)
            for member, offer in self._membership.offers()
            if request.host_id in ("", member.host.host_id)
        }
        page, token = _page(sorted(found), request.page_size, request.page_token)
        return pb.ListServicesResponse(
            services=[self._service_message(*found[service_id]) for service_id in page],
            next_page_token=token,
        )

    async def GetService(
        self,
        request: pb.GetServiceRequest,
        context: grpc.aio.ServicerContext[pb.GetServiceRequest, pb.GetServiceResponse],
    ) -> pb.GetServiceResponse:
        found = self._membership.offer(request.service_id)
        if found is None:
            raise NotFound(f"service {request.service_id[:MAX_NAME]!r} is not registered")
        return pb.GetServiceResponse(service=self._service_message(*found))

    async def GetClusterHealth(
        self,
        request: pb.GetClusterHealthRequest,
        context: grpc.aio.ServicerContext[pb.GetClusterHealthRequest, pb.GetClusterHealthResponse],
    ) -> pb.GetClusterHealthResponse:
        members = self._membership.members.values()
        offers = list(self._membership.offers())
        well = [offer for member, offer in offers if self._membership.well(member, offer)]
        routable = [offer for offer in well if not self._membership.held_back(offer)]
        # What is held back still serves what nobody else does.
        assets = [asset for offer in well for asset in offer.service.assets]
        now = self._now()
        message = pb.GetClusterHealthResponse(
            host_count=len(members),
            online_host_count=self._membership.online,
            lost_host_count=sum(member.state is HostState.LOST for member in members),
            service_count=len(offers),
            routable_service_count=len(routable),
            asset_count=len(assets),
            loaded_asset_count=sum(asset.loaded for asset in assets),
            in_flight=self._loads.in_flight,
            gateway_count=len({watcher.gateway_id for watcher in self._routes.watchers}),
            route_version=self._routes.identity.version,
            settled=self._routes.settled,
            control_version=self._version,
            unusable_resources=self._routes.unusable(MAX_UNUSABLE),
            spared_host_count=self._cluster.spared,
            held_back_count=len(well) - len(routable),
        )
        changed_at = self._publisher.changed_at
        since = self._started if changed_at is None else changed_at
        message.route_age.FromMilliseconds(int((now - since) * 1000))
        message.uptime.FromMilliseconds(int((now - self._started) * 1000))
        return message

    def _host_message(self, member: Member) -> inventory_pb.Host:
        return messages.host_message(member, self._wall_time(member.heard_at))

    def _service_message(self, member: Member, offer: Offer) -> pb.ServiceStatus:
        message = messages.service_message(offer)
        left = self._membership.held_back_for(offer, self._now())
        if left and self._membership.well(member, offer):
            message.observation.detail = f"flapping, held back for {math.ceil(left)} s"
        return pb.ServiceStatus(
            service=message,
            routable=self._membership.routable(member, offer),
            in_flight=self._loads.total(offer.service.service_id),
            measured=self._measured_message(offer.service.service_id),
        )

    def _measured_message(self, service_id: str) -> pb.Measured | None:
        counts = self._measurements.of(service_id)
        if not counts:
            return None
        told = measured(counts)
        message = pb.Measured(
            request_count=told.requests,
            abandoned_count=told.abandoned,
            error_counts=told.errors,
            prompt_tokens=told.prompt_tokens,
            completion_tokens=told.completion_tokens,
            tokens_per_second=told.tokens_per_second,
        )
        message.start_time.FromSeconds(int(self._measurements.since))
        for field, latency in (
            (message.first_byte_p50, told.first_byte_p50),
            (message.first_byte_p95, told.first_byte_p95),
        ):
            if latency is not None:
                field.FromMicroseconds(int(latency * 1e6))
        return message


def _page(ids: Sequence[str], size: int, token: str) -> tuple[Sequence[str], str]:
    """Return a page of the sorted `ids` and the token of the next one, empty at the end.

    A token holds the last id of its page: what comes or goes between two pages
    neither repeats nor hides anything else.
    """
    if not 0 <= size <= MAX_PAGE:
        raise InvalidValue(f"page_size {size} is not 1 to {MAX_PAGE}", param="page_size")
    start = bisect_right(ids, _last_id(token)) if token else 0
    page = ids[start : start + (size or DEFAULT_PAGE)]
    more = start + len(page) < len(ids)
    return page, _token(page[-1]) if more else ""


def _token(last_id: str) -> str:
    return base64.urlsafe_b64encode(f"{TOKEN_PREFIX}{last_id}".encode()).decode()


def _last_id(token: str) -> str:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidValue("page_token is not one of ours", param="page_token") from error
    if not text.startswith(TOKEN_PREFIX):
        raise InvalidValue("page_token is not one of ours", param="page_token")
    return text.removeprefix(TOKEN_PREFIX)
