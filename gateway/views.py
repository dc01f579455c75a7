"""Hosts, services, roles and health of the cluster, as clients ask for them over HTTP."""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory

from control.api import cluster_documents as documents
from control.api import evidence_documents
from control.api.route_documents import OPERATION_VALUES
from gateway import known
from gateway.control_calls import ControlCalls
from gateway.known import Knowledge, Known
from gateway.listing import Page, as_list, joined, json, listed, page
from gateway.steps import Steps, paced

MAX_NAME = 200

Kind = Literal["chat", "embeddings", "transcription"]
State = Literal["online", "returning", "lost"]
Name = Annotated[str, Query(min_length=1, max_length=MAX_NAME)]
Asked = Annotated[Page, Depends(page)]

_STATES: dict[str, inventory.HostState] = {
    "online": inventory.HOST_STATE_ONLINE,
    "returning": inventory.HOST_STATE_RETURNING,
    "lost": inventory.HOST_STATE_LOST,
}


def router(control: ControlCalls, knowledge: Knowledge) -> APIRouter:
    """Return the paths under `/v1/cluster` that show what control knows."""
    paths = APIRouter(prefix="/v1/cluster")

    async def whole(lines: Callable[[Known], Steps[list[bytes]]]) -> Response:
        found = await paced(lines(await knowledge.now()))
        return Response(joined(found), media_type="application/json")

    @paths.get("/hosts")
    async def hosts(request: Request, asked: Asked, state: State | None = None) -> Response:
        """List hosts, by id."""
        if asked.limit is None and state is None:
            return await whole(known.host_lines)

        async def fetch(size: int, token: str) -> tuple[Sequence[inventory.Host], str]:
            found = await control.hosts(
                pb.ListHostsRequest(
                    page_size=size, page_token=token, state=_STATES[state] if state else None
                )
            )
            return found.hosts, found.next_page_token

        return await listed(request, asked, fetch, documents.host)

    @paths.get("/hosts/{host_id}")
    async def host(host_id: str) -> Response:
        """Tell of one host."""
        found = await control.host(pb.GetHostRequest(host_id=host_id))
        return json(documents.host(found.host))

    @paths.get("/hosts/{host_id}/inventory")
    async def host_inventory(host_id: str) -> Response:
        """Tell all that the node of a host reported last, and how long ago."""
        found = await control.inventory(pb.GetHostInventoryRequest(host_id=host_id))
        services = await paced(as_list(documents.service, found.services))
        return json({**documents.report(found), "services": services})

    @paths.get("/services")
    async def services(
        request: Request,
        asked: Asked,
        host_id: Name | None = None,
        operation: Kind | None = None,
        routable: bool | None = None,
    ) -> Response:
        """List services, by id."""
        if asked.limit is None and host_id is None and operation is None and routable is None:
            return await whole(known.service_lines)

        async def fetch(size: int, token: str) -> tuple[Sequence[pb.ServiceStatus], str]:
            found = await control.services(
                pb.ListServicesRequest(
                    page_size=size,
                    page_token=token,
                    host_id=host_id or "",
                    operation=OPERATION_VALUES[operation] if operation else None,
                    routable=routable,
                )
            )
            return found.services, found.next_page_token

        return await listed(request, asked, fetch, documents.service)

    @paths.get("/services/{service_id:path}")
    async def service(service_id: str) -> Response:
        """Tell of one service; its id holds a slash."""
        found = await control.service(pb.GetServiceRequest(service_id=service_id))
        return json(documents.service(found.service))

    @paths.get("/roles")
    async def roles(request: Request, asked: Asked, operation: Kind | None = None) -> Response:
        """List the roles of the catalog, by id, with who serves them now."""
        if asked.limit is None and operation is None:
            return await whole(known.role_lines)

        async def fetch(size: int, token: str) -> tuple[Sequence[pb.RoleStatus], str]:
            found = await control.roles(
                pb.ListRolesRequest(
                    page_size=size,
                    page_token=token,
                    operation=OPERATION_VALUES[operation] if operation else None,
                )
            )
            return found.roles, found.next_page_token

        return await listed(request, asked, fetch, documents.role)

    @paths.get("/roles/{role_id}")
    async def role(role_id: str) -> Response:
        """Tell of one role."""
        found = await control.role(pb.GetRoleRequest(role_id=role_id))
        return json(documents.role(found.role))

    @paths.get("/health")
    async def health() -> Response:
        """Tell the cluster in numbers."""
        return json(documents.health(await control.health(pb.GetClusterHealthRequest())))

    @paths.get("/health/samples")
    async def health_samples(request: Request, asked: Asked, service_id: Name) -> Response:
        """List what the last probes of a service found, the newest first."""

        async def fetch(size: int, token: str) -> tuple[Sequence[pb.HealthSample], str]:
            found = await control.health_samples(
                pb.ListHealthSamplesRequest(service_id=service_id, page_size=size, page_token=token)
            )
            return found.samples, found.next_page_token

        return await listed(request, asked, fetch, evidence_documents.health_sample)

    return paths
