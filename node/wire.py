"""What a node tells, as messages of the contract, and control's answers as plain values."""

from urllib.parse import urlsplit

from geniehive.v1 import inventory_pb2 as pb
from geniehive.v1 import registry_service_pb2 as registry_pb
from google.protobuf.duration_pb2 import Duration

from control.api.ports import join_address
from control.api.request_policy import RequestPolicy
from node import config
from node.assets import Asset
from node.session import Beat, Pace
from node.state import (
    Contribution,
    Gpu,
    Host,
    Machine,
    Metrics,
    Observation,
    Watched,
)
from node.way import Way

OPERATIONS = {
    "chat": pb.OPERATION_CHAT,
    "embeddings": pb.OPERATION_EMBEDDINGS,
    "transcription": pb.OPERATION_TRANSCRIPTION,
}
HEALTHS = {
    "healthy": pb.HEALTH_HEALTHY,
    "loading": pb.HEALTH_LOADING,
    "unhealthy": pb.HEALTH_UNHEALTHY,
}
AVAILABILITIES = {
    "available": pb.AVAILABILITY_AVAILABLE,
    "busy": pb.AVAILABILITY_BUSY,
    "draining": pb.AVAILABILITY_DRAINING,
    "paused_by_user": pb.AVAILABILITY_PAUSED_BY_USER,
    "offline": pb.AVAILABILITY_OFFLINE,
    "quarantined": pb.AVAILABILITY_QUARANTINED,
}
POSITIONS = {
    "prepend": pb.SYSTEM_PROMPT_POSITION_PREPEND,
    "append": pb.SYSTEM_PROMPT_POSITION_APPEND,
    "replace": pb.SYSTEM_PROMPT_POSITION_REPLACE,
}
REASONING = {
    None: pb.REASONING_UNSPECIFIED,
    "strip": pb.REASONING_STRIP,
    "pass": pb.REASONING_PASS,
}
SCHEME_PORTS = {"http": 80, "https": 443}

# What a control that tells nothing leaves us with: the defaults of the contract.
INTERVAL_SECONDS = 5.0
LEASE_INTERVALS = 3
RECONNECT_SECONDS = 2.0


def host_message(host: Host, metrics: Metrics) -> pb.Host:
    """Return the host for a registration."""
    return pb.Host(
        host_id=host.host_id,
        display_name=host.display_name,
        address=host.address,
        labels=host.labels,
        capabilities=host.capabilities,
        resources=pb.HostResources(
            cpu_threads=host.cpu_threads,
            memory_bytes=host.memory_bytes,
            gpus=map(gpu_message, host.gpus),
        ),
        metrics=metrics_message(metrics),
        trust_tier=host.trust_tier,
        device_class=host.device_class,
        workload_classes=host.workload_classes,
        allowed_model_families=host.allowed_model_families,
        contribution=contribution_message(host.contribution),
    )


def gpu_message(gpu: Gpu) -> pb.Gpu:
    """Return a graphics processor."""
    return pb.Gpu(
        gpu_id=gpu.gpu_id, name=gpu.name, vendor=gpu.vendor, memory_bytes=gpu.memory_bytes
    )


def contribution_message(policy: Contribution) -> pb.ContributionPolicy:
    """Return when the host is lent."""
    return pb.ContributionPolicy(
        idle_only=policy.idle_only,
        ac_power_only=policy.ac_power_only,
        thermal_ceiling_celsius=policy.thermal_ceiling_celsius,
        max_memory_bytes=policy.max_memory_bytes,
    )


def metrics_message(metrics: Metrics) -> pb.HostMetrics:
    """Return how busy the host is; what is not known is left out."""
    return pb.HostMetrics(
        cpu_utilization=metrics.cpu_utilization,
        memory_available_bytes=metrics.memory_available_bytes,
        gpus=[
            pb.GpuMetrics(
                gpu_id=one.gpu_id,
                utilization=one.utilization,
                memory_used_bytes=one.memory_used_bytes,
                temperature_celsius=one.temperature_celsius,
            )
            for one in metrics.gpus
        ],
        on_ac_power=metrics.on_ac_power,
        temperature_celsius=metrics.temperature_celsius,
    )


def machine_message(machine: Machine) -> pb.MachineInventory:
    """Return what else was found on the machine."""
    return pb.MachineInventory(
        model_files=[
            pb.ModelFile(
                path=one.path,
                size_bytes=one.size_bytes,
                name=one.name,
                architecture=one.architecture,
                quantization=one.quantization,
                context_tokens=one.context_tokens,
                parameter_count=one.parameter_count,
            )
            for one in machine.model_files
        ],
        model_file_count=machine.model_file_count,
        problems=machine.problems,
    )


def service_message(watched: Watched) -> pb.Service:
    """Return a service with its definition and what is seen of it."""
    service = watched.service
    return pb.Service(
        service_id=service.service_id,
        engine=service.engine,
        endpoint=endpoint_message(service.endpoint, service.way),
        assets=[asset_message(asset, service.kind) for asset in service.assets],
        concurrency=service.concurrency,
        revision=service.revision,
        observation=observation_message(watched.observation),
        load_mode=pb.LOAD_MODE_ON_REQUEST if service.loads_on_request else pb.LOAD_MODE_NONE,
        direct_requests=service.direct_requests,
        api_key=service.api_key,
        engine_version=service.engine_version,
    )


def asset_message(asset: Asset, kind: config.Kind) -> pb.Asset:
    """Return a model of a service of `kind`, with what is declared of it."""
    message = pb.Asset(
        asset_id=asset.asset_id,
        operations=[OPERATIONS[asset.operation or kind]],
        loaded=asset.loaded,
        context_tokens=asset.context_tokens,
        family=asset.family,
        digest=asset.digest,
        modality=asset.modality,
        format=asset.format,
        capabilities=asset.capabilities,
        size_bytes=asset.size_bytes,
    )
    if (declared := asset.declared) is not None:
        message.labels.extend(declared.labels)
        message.metadata.update(declared.metadata)
        if (locator := declared.locator) is not None:
            message.locator.kind, message.locator.value = locator.kind, locator.value
        if (policy := declared.request_policy) is not None:
            message.request_policy.CopyFrom(policy_message(policy))
    return message


def policy_message(policy: RequestPolicy) -> pb.RequestPolicy:
    """Return how requests for a model are shaped."""
    return pb.RequestPolicy(
        body_defaults=policy.body_defaults,
        body_overrides=policy.body_overrides,
        system_prompt=policy.system_prompt,
        system_prompt_position=POSITIONS[policy.system_prompt_position],
        reasoning=REASONING[policy.reasoning],
    )


def endpoint_message(url: str, way: Way | None = None) -> pb.Endpoint:
    """Return where `url` is reached; the port is always named. way: None, if not by ourselves."""
    parts = urlsplit(url)
    message = pb.Endpoint(
        scheme=parts.scheme,
        address=join_address(parts.hostname or "", parts.port or SCHEME_PORTS[parts.scheme]),
        base_path=parts.path,
        kind=pb.ENDPOINT_KIND_DIRECT,
    )
    if way is not None:
        message.kind = pb.ENDPOINT_KIND_NODE_RELAY
        message.relay.address, message.relay.token = way.address, way.token
        message.relay.tls, message.relay.tls_name = way.tls, way.tls_name
    return message


def observation_message(seen: Observation) -> pb.ServiceObservation:
    """Return what is seen of a service; what is not known is left out."""
    rates = seen.rates
    message = pb.ServiceObservation(
        health=HEALTHS[seen.health],
        in_flight=seen.in_flight,
        queue_depth=seen.queue_depth,
        tokens_per_second=rates.tokens_per_second,
        detail=seen.detail,
        availability=AVAILABILITIES[seen.availability],
        kv_cache_utilization=seen.kv_cache_utilization,
        vram_used_bytes=seen.vram_used_bytes,
        prompt_tokens_per_second=rates.prompt_tokens_per_second,
    )
    for name in ("latency_p50", "latency_p95", "first_token_p50", "first_token_p95"):
        if (seconds := getattr(rates, name)) is not None:
            getattr(message, name).FromNanoseconds(round(seconds * 1e9))
    return message


def beat_message(beat: Beat, lease: registry_pb.Lease) -> registry_pb.Heartbeat:
    """Return a beat; only what changed carries its definition."""
    services = []
    for watched in beat.report.services:
        service_id = watched.service.service_id
        defined = service_id in beat.defined
        services.append(
            registry_pb.ServiceBeat(
                service_id=service_id,
                observation=observation_message(watched.observation),
                definition=service_message(watched) if defined else None,
            )
        )
    return registry_pb.Heartbeat(
        lease=lease,
        sequence=beat.sequence,
        metrics=metrics_message(beat.report.metrics),
        services=services,
        machine=machine_message(beat.machine) if beat.machine else None,
    )


def pace_of(message: registry_pb.Pace) -> Pace:
    """Return what control tells about time; what it leaves out is the default."""
    interval = _seconds(message.heartbeat_interval) or INTERVAL_SECONDS
    return Pace(
        interval=interval,
        lease=_seconds(message.lease_duration) or LEASE_INTERVALS * interval,
        reconnect_window=_seconds(message.reconnect_window) or RECONNECT_SECONDS,
    )


def _seconds(duration: Duration) -> float:
    return max(duration.ToTimedelta().total_seconds(), 0.0)
