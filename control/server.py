"""The gRPC server of control: every service behind one edge, health and reflection included."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc
from geniehive.v1 import admin_service_pb2 as admin_pb
from geniehive.v1 import (
    admin_service_pb2_grpc,
    benchmark_service_pb2_grpc,
    discovery_service_pb2_grpc,
    registry_service_pb2_grpc,
    routing_service_pb2_grpc,
    usage_service_pb2_grpc,
)
from geniehive.v1 import benchmark_service_pb2 as benchmark_pb
from geniehive.v1 import discovery_service_pb2 as discovery_pb
from geniehive.v1 import registry_service_pb2 as registry_pb
from geniehive.v1 import routing_service_pb2 as routing_pb
from geniehive.v1 import usage_service_pb2 as usage_pb
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # no stubs
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]  # no stubs

from control.admin import AdminServicer
from control.api.channel import SERVER_OPTIONS
from control.benchmarks.service import BenchmarkServicer
from control.discovery import DiscoveryServicer
from control.interceptors import Edge
from control.registry import RegistryServicer
from control.routing import RoutingServicer
from control.usage import UsageServicer

# Two streams a node for 10,000 nodes, and room for everybody else.
MAX_RPCS = 20_200
# With the last writes, control has stopped within 10 s; whoever supervises it may count on that.
END_S, DRAIN_S = 1.0, 4.0  # for streams, and for calls under way

OURS = [
    file.DESCRIPTOR.services_by_name[name].full_name
    for file, name in (
        (registry_pb, "RegistryService"),
        (discovery_pb, "DiscoveryService"),
        (routing_pb, "RoutingService"),
        (benchmark_pb, "BenchmarkService"),
        (usage_pb, "UsageService"),
        (admin_pb, "AdminService"),
    )
]


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and what it takes to stop it without surprising anybody."""

    server: grpc.aio.Server
    edge: Edge
    health: health.aio.HealthServicer

    async def start(self) -> None:
        """Serve, and say so to health checks."""
        for name in ("", *OURS):
            await self.health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self.server.start()

    async def stop(self) -> None:
        """Say NOT_SERVING, end streams, let unary calls finish; within 5 s."""
        await self.health.enter_graceful_shutdown()
        # First: a server that stops ends streams in words of its own.
        await self.edge.end_streams(END_S)
        await self.server.stop(DRAIN_S)


def build(
    edge: Edge,
    registry: RegistryServicer,
    discovery: DiscoveryServicer,
    routing: RoutingServicer,
    benchmarks: BenchmarkServicer,
    usage: UsageServicer,
    admin: AdminServicer,
    bind: Callable[[grpc.aio.Server], int],
) -> tuple[Server, int]:
    """Return a server that is not started yet, and its port. bind: adds the port."""
    server = grpc.aio.server(
        interceptors=[edge], options=SERVER_OPTIONS, maximum_concurrent_rpcs=MAX_RPCS
    )
    registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(registry, server)
    discovery_service_pb2_grpc.add_DiscoveryServiceServicer_to_server(discovery, server)
    routing_service_pb2_grpc.add_RoutingServiceServicer_to_server(routing, server)
    benchmark_service_pb2_grpc.add_BenchmarkServiceServicer_to_server(benchmarks, server)
    usage_service_pb2_grpc.add_UsageServiceServicer_to_server(usage, server)
    admin_service_pb2_grpc.add_AdminServiceServicer_to_server(admin, server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    names = (*OURS, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return Server(server, edge, checks), bind(server)
