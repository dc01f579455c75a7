"""Clusters as control would tell them."""

from datetime import UTC, datetime, timedelta

from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import roles_pb2 as roles
from geniehive.v1 import routing_service_pb2 as routing

from cli.cluster import Cluster

NOW = datetime(2026, 11, 20, 14, 6, 11, tzinfo=UTC)


def host(host_id, state=inventory.HOST_STATE_ONLINE, seen=1, free=9_100_000_000, address=""):
    """seen: seconds before NOW."""
    made = inventory.Host(host_id=host_id, state=state, address=address)
    made.heartbeat_time.FromDatetime(NOW - timedelta(seconds=seen))
    if free is not None:
        made.metrics.memory_available_bytes = free
    return made


def status(service_id, *assets, health=inventory.HEALTH_HEALTHY, **more):
    """assets: names; one that starts with `+` is loaded."""
    routable = more.pop("routable", health == inventory.HEALTH_HEALTHY)
    queue = more.pop("queue", 0)
    return pb.ServiceStatus(
        routable=routable,
        in_flight=more.pop("in_flight", 0),
        service=inventory.Service(
            service_id=service_id,
            host_id=service_id.partition("/")[0],
            endpoint=inventory.Endpoint(scheme="http", address="127.0.0.1:8080"),
            assets=[
                inventory.Asset(
                    asset_id=name.removeprefix("+"),
                    loaded=name.startswith("+"),
                    operations=[more.get("operation", inventory.OPERATION_CHAT)],
                    context_tokens=more.get("context", 0),
                )
                for name in assets
            ],
            concurrency=more.pop("concurrency", 0),
            observation=inventory.ServiceObservation(
                health=health,
                queue_depth=queue,
                detail=more.pop("detail", ""),
                availability=more.pop("availability", inventory.AVAILABILITY_AVAILABLE),
            ),
        ),
    )


def ejected(service_id="h/x", **fields):
    """Return a service that gateways keep out; fields: as those of `status`."""
    found = status(service_id, "m", **fields)
    found.ejection.MergeFrom(routing.Ejection(reason="5 timeouts", gateway_count=2))
    found.ejection.remaining.FromSeconds(12)
    return found


def role(role_id, service_id="", asset_id="", loaded=0, **more):
    """service_id, asset_id: who would serve it; nobody when empty."""
    return pb.RoleStatus(
        role=roles.Role(role_id=role_id, operation=inventory.OPERATION_CHAT, **more),
        service_id=service_id,
        asset_id=asset_id,
        candidate_count=1 if service_id else 0,
        loaded_candidate_count=loaded,
    )


def health(**totals):
    made = pb.GetClusterHealthResponse(**totals)
    made.route_age.FromTimedelta(timedelta(seconds=2))
    return made


THREE_HOSTS = Cluster(
    health(
        host_count=3,
        online_host_count=2,
        lost_host_count=1,
        asset_count=10,
        loaded_asset_count=2,
        in_flight=2,
        route_version=812,
    ),
    (
        host("attic", inventory.HOST_STATE_LOST, seen=250, address="192.168.1.31"),
        host("laptop", free=6_000_000_000),
        host("tower"),
    ),
    (
        status("attic/ollama", "a", "b"),
        status("laptop/llama.cpp", "+smollm2-135m", concurrency=1),
        status("tower/ollama", "+qwen3:14b", "x", "y", concurrency=4, in_flight=2, queue=1),
        status(
            "tower/whisper",
            "base",
            health=inventory.HEALTH_UNHEALTHY,
            detail="cannot be reached",
        ),
    ),
)
EMPTY = Cluster(health(), (), ())
