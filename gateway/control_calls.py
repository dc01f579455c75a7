"""What a gateway asks control for its clients. Serving a request never waits for any of it."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from geniehive.v1 import benchmark_service_pb2 as benchmark
from geniehive.v1 import benchmark_service_pb2_grpc as benchmark_grpc
from geniehive.v1 import discovery_service_pb2 as discovery
from geniehive.v1 import discovery_service_pb2_grpc as discovery_grpc
from geniehive.v1 import routing_service_pb2 as routing
from geniehive.v1 import routing_service_pb2_grpc as routing_grpc

from control.api import auth, logs
from control.api.channel import control_errors
from control.api.errors import ControlUnavailable, Forbidden, Unauthenticated
from gateway.trace_context import current

log = logging.getLogger(__name__)

SECONDS = 5.0  # for one answer

A = TypeVar("A")


class ControlCalls:
    """Asks control over a channel; see the contract. What control refuses is raised as that error.

    seconds: that an answer may take; after that, and while control is away or does not
    answer this gateway, each raises `ControlUnavailable`.
    """

    def __init__(
        self, channel: grpc.aio.Channel, key: str | None, seconds: float = SECONDS
    ) -> None:
        self._routing: Any = routing_grpc.RoutingServiceStub(channel)
        self._discovery: Any = discovery_grpc.DiscoveryServiceStub(channel)
        self._benchmarks: Any = benchmark_grpc.BenchmarkServiceStub(channel)
        self._metadata = auth.metadata("gateway", key)
        self._seconds = seconds

    async def resolve(self, request: routing.ResolveRouteRequest) -> routing.ResolveRouteResponse:
        return await self._answer(self._routing.ResolveRoute, request)

    async def match(self, request: routing.MatchRoutesRequest) -> routing.MatchRoutesResponse:
        return await self._answer(self._routing.MatchRoutes, request)

    async def hosts(self, request: discovery.ListHostsRequest) -> discovery.ListHostsResponse:
        return await self._answer(self._discovery.ListHosts, request)

    async def host(self, request: discovery.GetHostRequest) -> discovery.GetHostResponse:
        return await self._answer(self._discovery.GetHost, request)

    async def inventory(
        self, request: discovery.GetHostInventoryRequest
    ) -> discovery.GetHostInventoryResponse:
        return await self._answer(self._discovery.GetHostInventory, request)

    async def services(
        self, request: discovery.ListServicesRequest
    ) -> discovery.ListServicesResponse:
        return await self._answer(self._discovery.ListServices, request)

    async def service(self, request: discovery.GetServiceRequest) -> discovery.GetServiceResponse:
        return await self._answer(self._discovery.GetService, request)

    async def roles(self, request: discovery.ListRolesRequest) -> discovery.ListRolesResponse:
        return await self._answer(self._discovery.ListRoles, request)

    async def role(self, request: discovery.GetRoleRequest) -> discovery.GetRoleResponse:
        return await self._answer(self._discovery.GetRole, request)

    async def health(
        self, request: discovery.GetClusterHealthRequest
    ) -> discovery.GetClusterHealthResponse:
        return await self._answer(self._discovery.GetClusterHealth, request)

    async def health_samples(
        self, request: discovery.ListHealthSamplesRequest
    ) -> discovery.ListHealthSamplesResponse:
        return await self._answer(self._discovery.ListHealthSamples, request)

    async def benchmarks(
        self, request: benchmark.ListBenchmarkSamplesRequest
    ) -> benchmark.ListBenchmarkSamplesResponse:
        return await self._answer(self._benchmarks.ListBenchmarkSamples, request)

    async def ingest(
        self, request: benchmark.IngestBenchmarkSamplesRequest
    ) -> benchmark.IngestBenchmarkSamplesResponse:
        return await self._answer(self._benchmarks.IngestBenchmarkSamples, request)

    async def _answer(self, method: Callable[..., Awaitable[A]], request: object) -> A:
        with _told_to_clients():
            metadata = (*self._metadata, *logs.request_metadata(), *current.get().items())
            return await method(request, metadata=metadata, timeout=self._seconds)


@contextmanager
def _told_to_clients() -> Iterator[None]:
    """Raise what control raised, without what is only for operators of the gateway."""
    try:
        with control_errors():
            yield
    except ControlUnavailable as error:
        # gRPC names addresses of ours.
        raise ControlUnavailable("control does not answer now; requests are served on") from error
    except (Unauthenticated, Forbidden) as error:
        # The client's key was good: this would tell it that it is not.
        log.warning("control refuses this gateway: %s", error)
        raise ControlUnavailable("control does not answer this gateway") from error
