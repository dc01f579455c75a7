"""DiscoveryService: what is registered, as messages. Changes nothing."""

from collections.abc import Callable, Iterable, Mapping, MutableSequence
from typing import TypeVar

import grpc
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as pb_grpc
from geniehive.v1 import inventory_pb2 as inventory_pb
from google.protobuf.message import Message

from control import machine_messages, messages
from control.answer_messages import operation
from control.api.errors import NotFound
from control.condition import Condition
from control.inventory import Operation, Service
from control.members import Member, Offer
from control.overview import Overview
from control.pacing import Looks, Rest
from control.paging import Page, asked
from control.probe_messages import newest_first
from control.ranking.roles import Role
from control.role_messages import role_status_message
from control.status_messages import status_message

MAX_NAME = 200
# To encode so much holds the loop for 2 ms, and clients of others take 4 MB at most. A page
# that is full by that has fewer entries than were asked for.
MAX_PAGE_BYTES = 1 << 20

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class DiscoveryServicer(pb_grpc.DiscoveryServiceServicer):
    """See the comments of the service in the contract.

    now: the monotonic clock. wall_time: of a moment on it, in seconds since 1970.
    """

    def __init__(
        self,
        overview: Overview,
        condition: Condition,
        now: Callable[[], float],
        wall_time: Callable[[float], float],
    ) -> None:
        self._overview = overview
        self._condition = condition
        self._now = now
        self._wall_time = wall_time
        self._looks = Looks()

    # Hosts.

    async def ListHosts(
        self,
        request: pb.ListHostsRequest,
        context: grpc.aio.ServicerContext[pb.ListHostsRequest, pb.ListHostsResponse],
    ) -> pb.ListHostsResponse:
        page = asked("hosts", (request.state,), request.page_size, request.page_token)
        state = messages.host_state(request.state)
        answer = pb.ListHostsResponse()

        def belongs(member: Member) -> bool:
            return state is None or member.state is state

        async with self._looks.turn() as rest:
            answer.next_page_token = await _fill(
                answer.hosts,
                page,
                self._overview.hosts(page.after),
                belongs,
                self._host_message,
                rest,
            )
        return answer

    async def GetHost(
        self,
        request: pb.GetHostRequest,
        context: grpc.aio.ServicerContext[pb.GetHostRequest, pb.GetHostResponse],
    ) -> pb.GetHostResponse:
        return pb.GetHostResponse(host=self._host_message(self._member(request.host_id)))

    async def GetHostInventory(
        self,
        request: pb.GetHostInventoryRequest,
        context: grpc.aio.ServicerContext[pb.GetHostInventoryRequest, pb.GetHostInventoryResponse],
    ) -> pb.GetHostInventoryResponse:
        member = self._member(request.host_id)
        answer = pb.GetHostInventoryResponse(host=self._host_message(member))
        answer.report_time.CopyFrom(answer.host.heartbeat_time)
        age = max(0.0, self._now() - member.heard_at)
        answer.report_age.FromMilliseconds(int(age * 1000))
        if member.machine is not None:
            answer.machine.CopyFrom(machine_messages.machine_message(member.machine))
        async with self._looks.turn() as rest:
            for _, found in self._overview.services("", request.host_id):
                answer.services.append(self._status_message(found))
                await rest()
        return answer

    # Services.

    async def ListServices(
        self,
        request: pb.ListServicesRequest,
        context: grpc.aio.ServicerContext[pb.ListServicesRequest, pb.ListServicesResponse],
    ) -> pb.ListServicesResponse:
        routable = request.routable if request.HasField("routable") else None
        filters = request.host_id, request.operation, routable
        page = asked("services", filters, request.page_size, request.page_token)
        wanted = operation(request.operation)
        answer = pb.ListServicesResponse()

        def belongs(found: tuple[Member, Offer]) -> bool:
            _, offer = found
            if wanted is not None and not _serves(offer.service, wanted):
                return False
            return routable is None or self._overview.routable(*found) is routable

        async with self._looks.turn() as rest:
            answer.next_page_token = await _fill(
                answer.services,
                page,
                self._overview.services(page.after, request.host_id),
                belongs,
                self._status_message,
                rest,
            )
        return answer

    async def GetService(
        self,
        request: pb.GetServiceRequest,
        context: grpc.aio.ServicerContext[pb.GetServiceRequest, pb.GetServiceResponse],
    ) -> pb.GetServiceResponse:
        found = self._overview.find_service(request.service_id)
        if found is None:
            raise NotFound(f"service {request.service_id[:MAX_NAME]!r} is not registered")
        return pb.GetServiceResponse(service=self._status_message(found))

    async def ListHealthSamples(
        self,
        request: pb.ListHealthSamplesRequest,
        context: grpc.aio.ServicerContext[
            pb.ListHealthSamplesRequest, pb.ListHealthSamplesResponse
        ],
    ) -> pb.ListHealthSamplesResponse:
        service_id = request.service_id
        page = asked("health samples", (service_id,), request.page_size, request.page_token)
        if self._overview.find_service(service_id) is None:
            raise NotFound(f"service {service_id[:MAX_NAME]!r} is not registered")
        record = self._overview.probe(service_id)
        samples = {} if record is None else newest_first(service_id, record)
        positions, token = page.cut(list(samples))
        return pb.ListHealthSamplesResponse(
            samples=[samples[one] for one in positions], next_page_token=token
        )

    # Roles.

    async def ListRoles(
        self,
        request: pb.ListRolesRequest,
        context: grpc.aio.ServicerContext[pb.ListRolesRequest, pb.ListRolesResponse],
    ) -> pb.ListRolesResponse:
        page = asked("roles", (request.operation,), request.page_size, request.page_token)
        wanted = operation(request.operation)
        answer = pb.ListRolesResponse()

        def belongs(role: Role) -> bool:
            return wanted is None or role.operation is wanted

        async with self._looks.turn() as rest:
            latencies = await self._latencies(rest)
            answer.next_page_token = await _fill(
                answer.roles,
                page,
                self._overview.roles(page.after),
                belongs,
                lambda role: self._role_message(role, latencies),
                rest,
            )
        return answer

    async def GetRole(
        self,
        request: pb.GetRoleRequest,
        context: grpc.aio.ServicerContext[pb.GetRoleRequest, pb.GetRoleResponse],
    ) -> pb.GetRoleResponse:
        async with self._looks.turn() as rest:
            latencies = await self._latencies(rest)
        role = self._overview.find_role(request.role_id)
        if role is None:
            raise NotFound(f"role {request.role_id[:MAX_NAME]!r} is not in the catalog")
        return pb.GetRoleResponse(role=self._role_message(role, latencies))

    # All of it.

    async def GetClusterHealth(
        self,
        request: pb.GetClusterHealthRequest,
        context: grpc.aio.ServicerContext[pb.GetClusterHealthRequest, pb.GetClusterHealthResponse],
    ) -> pb.GetClusterHealthResponse:
        async with self._looks.turn() as rest:
            return await self._condition.message(rest)

    # How it is done.

    def _member(self, host_id: str) -> Member:
        if (member := self._overview.find_host(host_id)) is None:
            raise NotFound(f"host {host_id[:MAX_NAME]!r} is not registered")
        return member

    def _host_message(self, member: Member) -> inventory_pb.Host:
        message = messages.host_message(member, self._wall_time(member.heard_at))
        message.drained = self._overview.drained(member.host.host_id)
        return message

    def _status_message(self, found: tuple[Member, Offer]) -> pb.ServiceStatus:
        since = self._overview.measured_since
        return status_message(self._overview.service(*found), since, self._wall_time)

    def _role_message(self, role: Role, latencies: Mapping[str, float]) -> pb.RoleStatus:
        view = self._overview.role(role, latencies)
        return role_status_message(view, self._condition.rules_read_at)

    async def _latencies(self, rest: Rest) -> dict[str, float]:
        """Return the latencies of all services, as far as they are known, the least first."""
        found: dict[str, float] = {}
        for service_id, (_, offer) in self._overview.services(""):
            if (latency := self._overview.latency(offer)) is not None:
                found[service_id] = latency
            await rest()
        return dict(sorted(found.items(), key=lambda one: one[1]))


def _serves(service: Service, operation: Operation) -> bool:
    return any(operation in asset.operations for asset in service.assets)


async def _fill(
    into: MutableSequence[M],
    page: Page,
    things: Iterable[tuple[str, T]],
    belongs: Callable[[T], bool],
    message: Callable[[T], M],
    rest: Rest,
) -> str:
    """Put what belongs to a list onto its page, and return the token of the next one.

    things: with where they stand, in order. rest: is called between two of them.
    """
    last, size = "", 0
    for position, thing in things:
        if belongs(thing):
            if len(into) == page.size or size > MAX_PAGE_BYTES:
                return page.token(last)
            into.append(message(thing))
            last, size = position, size + into[-1].ByteSize()
        await rest()
    return ""
