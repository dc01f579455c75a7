"""Requests of nodes as short as a test wants them."""

from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as pb

CHAT = inventory.OPERATION_CHAT
HEALTHY = inventory.ServiceObservation(health=inventory.HEALTH_HEALTHY)


def service(service_id="h1/s", *names, loaded=False, **fields):
    return inventory.Service(
        service_id=service_id,
        endpoint=inventory.Endpoint(
            scheme="http", address="127.0.0.1:8080", kind=inventory.ENDPOINT_KIND_DIRECT
        ),
        assets=[
            inventory.Asset(asset_id=name, operations=[CHAT], loaded=loaded)
            for name in names or ["m"]
        ],
        observation=fields.pop("observation", HEALTHY),
        **fields,
    )


def registration(host_id="h1", *services, instance_id="i"):
    return pb.RegisterHostRequest(
        host=inventory.Host(host_id=host_id),
        instance_id=instance_id,
        services=services or [service(f"{host_id}/s")],
    )


def heartbeat(lease, sequence, *service_ids, observation=HEALTHY):
    return pb.Heartbeat(
        lease=lease,
        sequence=sequence,
        services=[
            pb.ServiceBeat(service_id=service_id, observation=observation)
            for service_id in service_ids
        ],
    )
