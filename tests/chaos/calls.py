"""What nodes and operators ask of control, as blocking calls with a deadline."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from geniehive.v1 import discovery_service_pb2 as discovery
from geniehive.v1 import discovery_service_pb2_grpc, registry_service_pb2_grpc
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as registry

from control.api.channel import control_errors, sync_channel

DEADLINE_S = 5.0
HEALTHY = inventory.ServiceObservation(health=inventory.HEALTH_HEALTHY)


def service(service_id: str, engine: str, models: Sequence[str]) -> inventory.Service:
    """Return a healthy service at `engine`, host:port, that serves `models`."""
    return inventory.Service(
        service_id=service_id,
        endpoint=inventory.Endpoint(
            scheme="http", address=engine, kind=inventory.ENDPOINT_KIND_DIRECT
        ),
        assets=[
            inventory.Asset(asset_id=model, operations=[inventory.OPERATION_CHAT])
            for model in models
        ],
        observation=HEALTHY,
    )


class Calls:
    """Calls control and raises its errors; for one thread."""

    def __init__(self, channel: Any, deadline: float = DEADLINE_S) -> None:
        self._registry = registry_service_pb2_grpc.RegistryServiceStub(channel)
        self._discovery = discovery_service_pb2_grpc.DiscoveryServiceStub(channel)
        self._deadline = deadline

    def register(
        self, host_id: str, services: Sequence[inventory.Service] = (), instance_id: str = "i"
    ) -> registry.Lease:
        request = registry.RegisterHostRequest(
            host=inventory.Host(host_id=host_id), instance_id=instance_id, services=services
        )
        return self._call(self._registry.RegisterHost, request).lease

    def beat(
        self,
        lease: registry.Lease,
        sequence: int,
        service_ids: Sequence[str] = (),
        seen: inventory.ServiceObservation = HEALTHY,
    ) -> Any:
        beats = [registry.ServiceBeat(service_id=one, observation=seen) for one in service_ids]
        beat = registry.Heartbeat(lease=lease, sequence=sequence, services=beats)
        return self._call(
            self._registry.SendHeartbeat, registry.SendHeartbeatRequest(heartbeat=beat)
        )

    def deregister(self, host_id: str) -> None:
        """Remove a host for good, as an operator does."""
        self._call(self._registry.DeregisterHost, registry.DeregisterHostRequest(host_id=host_id))

    def hosts(self) -> list[inventory.Host]:
        """Return every host, page by page."""
        return list(self._pages(self._discovery.ListHosts, discovery.ListHostsRequest, "hosts"))

    def services(self) -> list[inventory.Service]:
        method, request = self._discovery.ListServices, discovery.ListServicesRequest
        return [one.service for one in self._pages(method, request, "services")]

    def health(self) -> discovery.GetClusterHealthResponse:
        return self._call(self._discovery.GetClusterHealth, discovery.GetClusterHealthRequest())

    def _pages(self, method: Any, request: Any, name: str) -> Iterator[Any]:
        token = ""
        while True:
            page = self._call(method, request(page_size=1_000, page_token=token))
            yield from getattr(page, name)
            token = page.next_page_token
            if not token:
                return

    def _call(self, method: Any, request: Any) -> Any:
        with control_errors():
            return method(request, timeout=self._deadline)


@contextmanager
def calling(port: int, deadline: float = DEADLINE_S) -> Iterator[Calls]:
    with sync_channel(f"127.0.0.1:{port}") as channel:
        yield Calls(channel, deadline)
