"""Inventory from and to messages. Copies; judges nothing."""

from geniehive.v1 import inventory_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from control import machine_messages
from control.api.errors import InvalidValue
from control.inventory import (
    UNLIMITED,
    Asset,
    Availability,
    Endpoint,
    Health,
    Host,
    HostState,
    Locator,
    NodeRelay,
    Observation,
    Operation,
    Service,
)
from control.members import Member, Offer
from control.policy_messages import policy, policy_message

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
HEALTH_VALUES: dict[Health, pb.Health] = {
    Health.UNKNOWN: pb.HEALTH_UNSPECIFIED,
    Health.HEALTHY: pb.HEALTH_HEALTHY,
    Health.LOADING: pb.HEALTH_LOADING,
    Health.UNHEALTHY: pb.HEALTH_UNHEALTHY,
}
AVAILABILITY_VALUES: dict[Availability, pb.Availability] = {
    Availability.AVAILABLE: pb.AVAILABILITY_AVAILABLE,
    Availability.BUSY: pb.AVAILABILITY_BUSY,
    Availability.DRAINING: pb.AVAILABILITY_DRAINING,
    Availability.PAUSED_BY_USER: pb.AVAILABILITY_PAUSED_BY_USER,
    Availability.OFFLINE: pb.AVAILABILITY_OFFLINE,
    Availability.QUARANTINED: pb.AVAILABILITY_QUARANTINED,
}
_AVAILABILITY: dict[int, Availability] = {
    value: availability for availability, value in AVAILABILITY_VALUES.items()
}
_STATE_VALUES: dict[HostState, pb.HostState] = {
    HostState.ONLINE: pb.HOST_STATE_ONLINE,
    HostState.RETURNING: pb.HOST_STATE_RETURNING,
    HostState.LOST: pb.HOST_STATE_LOST,
}
_SPANS = ("latency_p50", "latency_p95", "first_token_p50", "first_token_p95")


def host(message: pb.Host) -> Host:
    """Return the host in `message`, as it describes itself: not the key that it came with."""
    return Host(
        host_id=message.host_id,
        display_name=message.display_name,
        address=message.address,
        labels=dict(message.labels),
        capabilities=dict(message.capabilities),
        resources=machine_messages.resources(message.resources),
        trust_tier=message.trust_tier,
        device_class=message.device_class,
        workload_classes=tuple(message.workload_classes),
        allowed_model_families=tuple(message.allowed_model_families),
        contribution=machine_messages.contribution(message),
    )


def host_state(value: int) -> HostState | None:
    """Return the state that is asked for, None where none is.

    Raises:
        InvalidValue: it is none of ours.
    """
    if value == pb.HOST_STATE_UNSPECIFIED:
        return None
    for state, number in _STATE_VALUES.items():
        if number == value:
            return state
    raise InvalidValue(f"state {value} is not one of ours", param="state")


def service(message: pb.Service, host_id: str) -> Service:
    """Return the definition in `message`, as one of `host_id`.

    An unknown operation, from a newer node, is left out.
    """
    return Service(
        service_id=message.service_id,
        host_id=host_id,
        endpoint=endpoint(message.endpoint),
        engine=message.engine,
        assets=tuple(map(_asset, message.assets)),
        concurrency=message.concurrency,
        revision=message.revision,
        loads_on_request=message.load_mode == pb.LOAD_MODE_ON_REQUEST,
        direct_requests=message.direct_requests,
        needs_key=bool(message.api_key),
        api_key=message.api_key,
        engine_version=message.engine_version,
    )


def _asset(message: pb.Asset) -> Asset:
    has = message.HasField
    return Asset(
        asset_id=message.asset_id,
        operations=tuple(
            dict.fromkeys(OPERATIONS[o] for o in message.operations if o in OPERATIONS)
        ),
        loaded=message.loaded,
        context_tokens=message.context_tokens,
        family=message.family,
        labels=tuple(message.labels),
        request_policy=policy(message.request_policy) if has("request_policy") else None,
        modality=message.modality,
        format=message.format,
        locator=Locator(message.locator.kind, message.locator.value) if has("locator") else None,
        metadata=dict(message.metadata),
        digest=message.digest,
        capabilities=tuple(message.capabilities),
        size_bytes=message.size_bytes,
    )


def endpoint(message: pb.Endpoint) -> Endpoint:
    """Return the endpoint in `message`."""
    relay = message.relay
    return Endpoint(
        message.scheme,
        message.address,
        message.base_path,
        message.tls_name,
        direct=message.kind == pb.ENDPOINT_KIND_DIRECT,
        relay=(
            NodeRelay(relay.address, relay.token, relay.tls, relay.tls_name)
            if message.kind == pb.ENDPOINT_KIND_NODE_RELAY
            else None
        ),
    )


def observation(message: pb.ServiceObservation) -> Observation:
    """Return what a node saw, as it said it."""
    has = message.HasField
    return Observation(
        health=_HEALTH.get(message.health, Health.UNKNOWN),
        in_flight=message.in_flight if has("in_flight") else None,
        queue_depth=message.queue_depth if has("queue_depth") else None,
        tokens_per_second=message.tokens_per_second if has("tokens_per_second") else None,
        latency_p50=_seconds(message.latency_p50) if has("latency_p50") else None,
        detail=message.detail,
        availability=_AVAILABILITY.get(message.availability, Availability.AVAILABLE),
        latency_p95=_seconds(message.latency_p95) if has("latency_p95") else None,
        kv_cache_utilization=message.kv_cache_utilization if has("kv_cache_utilization") else None,
        vram_used_bytes=message.vram_used_bytes if has("vram_used_bytes") else None,
        prompt_tokens_per_second=(
            message.prompt_tokens_per_second if has("prompt_tokens_per_second") else None
        ),
        first_token_p50=_seconds(message.first_token_p50) if has("first_token_p50") else None,
        first_token_p95=_seconds(message.first_token_p95) if has("first_token_p95") else None,
    )


def _seconds(span: Duration) -> float:
    # By hand: `ToTimedelta` refuses what a broken node may send.
    return span.seconds + span.nanos / 1e9


def host_message(member: Member, heard_time: float) -> pb.Host:
    """Return a host and its life. heard_time: of the last beat, in seconds since 1970."""
    found = member.host
    message = pb.Host(
        host_id=found.host_id,
        display_name=found.display_name or found.host_id,
        address=found.address,
        labels=found.labels,
        capabilities=found.capabilities,
        resources=machine_messages.resources_message(found.resources),
        metrics=machine_messages.metrics_message(member.metrics),
        state=_STATE_VALUES[member.state],
        generation=member.generation,
        trust_tier=found.trust_tier,
        device_class=found.device_class,
        workload_classes=found.workload_classes,
        allowed_model_families=found.allowed_model_families,
        node_key_id=found.node_key_id,
    )
    if found.contribution != UNLIMITED:
        message.contribution.CopyFrom(machine_messages.contribution_message(found.contribution))
    message.heartbeat_time.FromMilliseconds(max(0, int(heard_time * 1000)))
    return message


def service_message(offer: Offer) -> pb.Service:
    """Return a service and what its node sees of it; its key stays here."""
    found = offer.service
    return pb.Service(
        service_id=found.service_id,
        host_id=found.host_id,
        engine=found.engine,
        endpoint=endpoint_message(found.endpoint),
        assets=map(_asset_message, found.assets),
        concurrency=found.concurrency,
        revision=found.revision,
        observation=_observation_message(offer.observation),
        load_mode=pb.LOAD_MODE_ON_REQUEST if found.loads_on_request else pb.LOAD_MODE_NONE,
        direct_requests=found.direct_requests,
        has_api_key=found.needs_key,
        engine_version=found.engine_version,
    )


def _asset_message(found: Asset) -> pb.Asset:
    message = pb.Asset(
        asset_id=found.asset_id,
        operations=[OPERATION_VALUES[operation] for operation in found.operations],
        loaded=found.loaded,
        context_tokens=found.context_tokens,
        family=found.family,
        labels=found.labels,
        modality=found.modality,
        format=found.format,
        metadata=found.metadata,
        digest=found.digest,
        capabilities=found.capabilities,
        size_bytes=found.size_bytes,
    )
    if found.request_policy is not None:
        message.request_policy.CopyFrom(policy_message(found.request_policy))
    if found.locator is not None:
        message.locator.kind, message.locator.value = found.locator.kind, found.locator.value
    return message


def endpoint_message(found: Endpoint) -> pb.Endpoint:
    """Return where a gateway connects to; the token of a relay stays here."""
    message = pb.Endpoint(
        scheme=found.scheme,
        address=found.address,
        base_path=found.base_path,
        tls_name=found.tls_name,
        kind=pb.ENDPOINT_KIND_DIRECT,
    )
    if (relay := found.relay) is not None:
        message.kind = pb.ENDPOINT_KIND_NODE_RELAY
        message.relay.address = relay.address
        message.relay.tls, message.relay.tls_name = relay.tls, relay.tls_name
    return message


def _observation_message(seen: Observation) -> pb.ServiceObservation:
    message = pb.ServiceObservation(
        health=HEALTH_VALUES[seen.health],
        in_flight=seen.in_flight,
        queue_depth=seen.queue_depth,
        tokens_per_second=seen.tokens_per_second,
        detail=seen.detail,
        availability=AVAILABILITY_VALUES[seen.availability],
        kv_cache_utilization=seen.kv_cache_utilization,
        vram_used_bytes=seen.vram_used_bytes,
        prompt_tokens_per_second=seen.prompt_tokens_per_second,
    )
    for name in _SPANS:
        if (span := getattr(seen, name)) is not None:
            getattr(message, name).FromMicroseconds(int(span * 1e6))
    return message
