"""A control that answers from what a test says, and remembers what it was asked."""

import asyncio

from geniehive.v1 import benchmark_service_pb2 as benchmark_pb
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import roles_pb2 as roles

from control.api.errors import ControlUnavailable, NotFound


class StubControl:
    """Lists in pages whose tokens are numbers. refusal: raised by every call, if there is one."""

    def __init__(self, hosts=(), services=(), roles=(), samples=(), benchmarks=()):
        self.held = {
            "hosts": list(hosts),
            "services": list(services),
            "roles": list(roles),
            "samples": list(samples),
            "benchmarks": list(benchmarks),
        }
        self.asked = []
        self.refusal = None
        self.open = asyncio.Event()
        self.open.set()

    async def _heard(self, request):
        self.asked.append(request)
        await self.open.wait()
        if self.refusal is not None:
            raise self.refusal

    async def _page(self, kind, request):
        await self._heard(request)
        start = int(request.page_token or 0)
        end = start + (request.page_size or 100)
        held = self.held[kind]
        return held[start:end], str(end) if end < len(held) else ""

    async def hosts(self, request):
        page, token = await self._page("hosts", request)
        return pb.ListHostsResponse(hosts=page, next_page_token=token)

    async def services(self, request):
        page, token = await self._page("services", request)
        return pb.ListServicesResponse(services=page, next_page_token=token)

    async def roles(self, request):
        page, token = await self._page("roles", request)
        return pb.ListRolesResponse(roles=page, next_page_token=token)

    async def health_samples(self, request):
        page, token = await self._page("samples", request)
        return pb.ListHealthSamplesResponse(samples=page, next_page_token=token)

    async def benchmarks(self, request):
        page, token = await self._page("benchmarks", request)
        return benchmark_pb.ListBenchmarkSamplesResponse(samples=page, next_page_token=token)

    async def host(self, request):
        await self._heard(request)
        for one in self.held["hosts"]:
            if one.host_id == request.host_id:
                return pb.GetHostResponse(host=one)
        raise NotFound(f"host {request.host_id!r} is not registered")

    async def inventory(self, request):
        await self._heard(request)
        return pb.GetHostInventoryResponse(
            host=self.held["hosts"][0], services=self.held["services"]
        )

    async def service(self, request):
        await self._heard(request)
        return pb.GetServiceResponse(service=self.held["services"][0])

    async def role(self, request):
        await self._heard(request)
        return pb.GetRoleResponse(role=self.held["roles"][0])

    async def health(self, request):
        await self._heard(request)
        return pb.GetClusterHealthResponse(host_count=2, online_host_count=1, lost_host_count=1)

    async def ingest(self, request):
        await self._heard(request)
        ids = [one.benchmark_id or f"made-{n}" for n, one in enumerate(request.samples)]
        self.held["benchmarks"] += request.samples
        return benchmark_pb.IngestBenchmarkSamplesResponse(
            created_count=len(ids), benchmark_ids=ids, unknown_service_ids=["h/new"]
        )


AWAY = ControlUnavailable("control does not answer now; requests are served on")


def told_host(host_id, **fields):
    return inventory.Host(host_id=host_id, state=inventory.HOST_STATE_ONLINE, **fields)


def told_asset(asset_id, *, loaded=True, operation=inventory.OPERATION_CHAT, **fields):
    return inventory.Asset(asset_id=asset_id, operations=[operation], loaded=loaded, **fields)


def told_service(service_id, *assets, latency_ms=None, **fields):
    message = pb.ServiceStatus(
        service=inventory.Service(
            service_id=service_id,
            host_id=service_id.partition("/")[0],
            endpoint=inventory.Endpoint(scheme="http", address="127.0.0.1:80"),
            assets=assets,
        ),
        health=inventory.HEALTH_HEALTHY,
        routable=True,
        **fields,
    )
    if latency_ms is not None:
        message.latency_p50.FromMilliseconds(latency_ms)
    return message


def told_role(role_id, *, latency_ms=None, operation=inventory.OPERATION_CHAT, **fields):
    message = pb.RoleStatus(role=roles.Role(role_id=role_id, operation=operation), **fields)
    if latency_ms is not None:
        message.best_latency_p50.FromMilliseconds(latency_ms)
    return message
