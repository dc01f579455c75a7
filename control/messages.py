"""Inventory from and to messages. Copies; judges nothing."""

from geniehive.v1 import inventory_pb2 as pb

from control.inventory import (
    Asset,
    Endpoint,
    Health,
    Host,
    HostState,
    Metrics,
    Observation,
    Operation,
    Resources,
    Service,
)
from control.members import Member, Offer

OPERATIONS: dict[int, Operation] = {
    pb.OPERATION_CHAT: Operation.CHAT,
    pb.OPERATION_EMBEDDINGS: Operation.EMBEDDINGS,
    pb.OPERATION_TRANSCRIPTION: Operation.TRANSCRIPTION,
}
OPERATION_VALUES: dict[str, pb.Operation] = {
    Operation.CHAT: pb.OPERATION_CHAT,
    Operation.EMBEDDINGS: pb.OPERATION_EMBEDDINGS,
    Operation.TRANSCRIPTION: pb.OPERATION_TRANSCRIPTION,
}
_HEALTH: dict[int, Health] = {
    pb.HEALTH_HEALTHY: Health.HEALTHY,
    pb.HEALTH_LOADING: Health.LOADING,
    pb.HEALTH_UNHEALTHY: Health.UNHEALTHY,
}
_HEALTH_VALUES: dict[Health, pb.Health] = {
    Health.UNKNOWN: pb.HEALTH_UNSPECIFIED,
    Health.HEALTHY: pb.HEALTH_HEALTHY,
    Health.LOADING: pb.HEALTH_LOADING,
    Health.UNHEALTHY: pb.HEALTH_UNHEALTHY,
}
_STATE_VALUES: dict[HostState, pb.HostState] = {
    HostState.ONLINE: pb.HOST_STATE_ONLINE,
    HostState.RETURNING: pb.HOST_STATE_RETURNING,
    HostState.LOST: pb.HOST_STATE_LOST,
}


def host(message: pb.Host) -> Host:
    """Return the host in `message`."""
    return Host(
        host_id=message.host_id,
        display_name=message.display_name,
        address=message.address,
        labels=dict(message.labels),
        capabilities=dict(message.capabilities),
        resources=Resources(message.resources.cpu_threads, message.resources.memory_bytes),
    )


def metrics(message: pb.HostMetrics) -> Metrics:
    """Return the metrics in `message`."""
    return Metrics(
        message.cpu_utilization if message.HasField("cpu_utilization") else None,
        message.memory_available_bytes if message.HasField("memory_available_bytes") else None,
    )


def service(message: pb.Service, host_id: str) -> Service:
    """Return the definition in `message`, as one of `host_id`.

    An unknown operation, from a newer node, is left out.
    """
    return Service(
        service_id=message.service_id,
        host_id=host_id,
        endpoint=endpoint(message.endpoint),
        engine=message.engine,
        assets=tuple(
            Asset(
                asset_id=asset.asset_id,
                operations=tuple(
                    dict.fromkeys(OPERATIONS[o] for o in asset.operations if o in OPERATIONS)
                ),
                loaded=asset.loaded,
                context_tokens=asset.context_tokens,
            )
            for asset in message.assets
        ),
        concurrency=message.concurrency,
        revision=message.revision,
    )


def endpoint(message: pb.Endpoint) -> Endpoint:
    """Return the endpoint in `message`."""
    return Endpoint(
        message.scheme,
        message.address,
        message.base_path,
        message.tls_name,
        direct=message.kind == pb.ENDPOINT_KIND_DIRECT,
    )


def observation(message: pb.ServiceObservation) -> Observation:
    """Return what a node saw, as it said it."""
    latency = message.latency_p50
    return Observation(
        health=_HEALTH.get(message.health, Health.UNKNOWN),
        in_flight=message.in_flight if message.HasField("in_flight") else None,
        queue_depth=message.queue_depth if message.HasField("queue_depth") else None,
        tokens_per_second=(
            message.tokens_per_second if message.HasField("tokens_per_second") else None
        ),
        # By hand: `ToTimedelta` refuses what a broken node may send.
        latency_p50=(
            latency.seconds + latency.nanos / 1e9 if message.HasField("latency_p50") else None
        ),
        detail=message.detail,
    )


def host_message(member: Member, heard_time: float) -> pb.Host:
    """Return a host and its life. heard_time: of the last beat, in seconds since 1970."""
    found = member.host
    message = pb.Host(
        host_id=found.host_id,
        display_name=found.display_name or found.host_id,
        address=found.address,
        labels=found.labels,
        capabilities=found.capabilities,
        resources=pb.HostResources(
            cpu_threads=found.resources.cpu_threads, memory_bytes=found.resources.memory_bytes
        ),
        metrics=pb.HostMetrics(
            cpu_utilization=member.metrics.cpu_utilization,
            memory_available_bytes=member.metrics.memory_available_bytes,
        ),
        state=_STATE_VALUES[member.state],
        generation=member.generation,
    )
    message.heartbeat_time.FromMilliseconds(max(0, int(heard_time * 1000)))
    return message


def service_message(offer: Offer) -> pb.Service:
    """Return a service and what its node sees of it."""
    found = offer.service
    return pb.Service(
        service_id=found.service_id,
        host_id=found.host_id,
        engine=found.engine,
        endpoint=endpoint_message(found.endpoint),
        assets=[
            pb.Asset(
                asset_id=asset.asset_id,
                operations=[OPERATION_VALUES[operation] for operation in asset.operations],
                loaded=asset.loaded,
                context_tokens=asset.context_tokens,
            )
            for asset in found.assets
        ],
        concurrency=found.concurrency,
        revision=found.revision,
        observation=_observation_message(offer.observation),
    )


def endpoint_message(found: Endpoint) -> pb.Endpoint:
    """Return where a gateway connects to."""
    return pb.Endpoint(
        scheme=found.scheme,
        address=found.address,
        base_path=found.base_path,
        tls_name=found.tls_name,
        kind=pb.ENDPOINT_KIND_DIRECT,
    )


def _observation_message(seen: Observation) -> pb.ServiceObservation:
    message = pb.ServiceObservation(
        health=_HEALTH_VALUES[seen.health],
        in_flight=seen.in_flight,
        queue_depth=seen.queue_depth,
        tokens_per_second=seen.tokens_per_second,
        detail=seen.detail,
    )
    if seen.latency_p50 is not None:
        message.latency_p50.FromMicroseconds(int(seen.latency_p50 * 1e6))
    return message
