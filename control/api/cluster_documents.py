"""What control knows of the cluster as JSON: the same over HTTP and from the command.

Fields have the names that clients know; what is not known is null. Moments are seconds
since 1970. Fields are only ever added.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import roles_pb2 as roles

from control.api import machine_documents
from control.api.message_values import milliseconds, moment, ordered, seconds, told
from control.api.route_documents import (
    AVAILABILITIES,
    OPERATIONS,
    STRATEGIES,
    Document,
    ejection,
    url,
)

PROTOCOL = "openai"  # what all engines speak that gateways relay to

HOST_STATES: Mapping[int, str] = {
    inventory.HOST_STATE_ONLINE: "online",
    inventory.HOST_STATE_RETURNING: "returning",
    inventory.HOST_STATE_LOST: "lost",
}
HEALTHS: Mapping[int, str] = {
    inventory.HEALTH_HEALTHY: "healthy",
    inventory.HEALTH_LOADING: "loading",
    inventory.HEALTH_UNHEALTHY: "unhealthy",
}
LOAD_MODES: Mapping[int, str] = {
    inventory.LOAD_MODE_NONE: "none",
    inventory.LOAD_MODE_ON_REQUEST: "on_request",
}
POSITIONS: Mapping[int, str] = {
    inventory.SYSTEM_PROMPT_POSITION_APPEND: "append",
    inventory.SYSTEM_PROMPT_POSITION_REPLACE: "replace",
}
REASONINGS: Mapping[int, str] = {
    inventory.REASONING_STRIP: "strip",
    inventory.REASONING_PASS: "pass",
}
# Of these, all others take requests.
CLOSED = frozenset({"draining", "paused_by_user", "offline", "quarantined"})


def host(message: inventory.Host) -> Document:
    """Return a machine and whether it is alive."""
    return {
        "host_id": message.host_id,
        "display_name": message.display_name,
        "address": message.address,
        "labels": ordered(message.labels),
        "capabilities": ordered(message.capabilities),
        "resources": machine_documents.resources(message),
        "status": {
            "state": HOST_STATES.get(message.state, "unknown"),
            "last_seen": moment(message, "heartbeat_time"),
            "drained": message.drained,
        },
        "metrics": machine_documents.metrics(message.metrics),
        "generation": message.generation,
        "auth": {"node_key_id": message.node_key_id or None},
    }


def service(message: pb.ServiceStatus) -> Document:
    """Return a model server and all that control knows of it."""
    found = message.service
    seen = found.observation
    open_to = availability(seen)
    offered = operations(found.assets)
    roles_of = roles_by_asset(message.roles)
    loaded = sum(one.loaded for one in found.assets)
    return {
        "service_id": found.service_id,
        "host_id": found.host_id,
        "kind": offered[0] if offered else None,
        "operations": offered,
        "protocol": PROTOCOL,
        "endpoint": url(found.endpoint),
        "relay": found.endpoint.relay.address or None,
        "runtime": runtime(found),
        "assets": [asset(one, roles_of.get(one.asset_id, ())) for one in found.assets],
        "state": {
            "health": HEALTHS.get(message.health, "unknown"),
            "load_state": "loaded" if loaded else "unloaded",
            "availability": open_to,
            "accept_requests": open_to not in CLOSED and not message.drained,
            "allow_employee_direct_requests": found.direct_requests,
            "reported_health": HEALTHS.get(seen.health, "unknown"),
            "detail": seen.detail or None,
            "routable": message.routable,
            "drained": message.drained,
            "held_back_s": seconds(message, "held_back"),
            "ejection": ejection(message),
            "probe": _probe(message.probe) if message.HasField("probe") else None,
        },
        "observed": observed(message),
        "measured": _measured(message.measured) if message.HasField("measured") else None,
        "learned": [learned(one) for one in message.learned],
        "updated_at": moment(message, "update_time"),
    }


def runtime(message: inventory.Service) -> Document:
    """Return how a service serves."""
    return {
        "engine": message.engine or None,
        "engine_version": message.engine_version or None,
        "launcher": None,
        "provider_id": None,
        "context_size": None,
        "max_context_tokens": None,
        "concurrency": message.concurrency or None,
        "load_mode": LOAD_MODES.get(message.load_mode, "none"),
        "has_api_key": message.has_api_key,
    }


def availability(message: inventory.ServiceObservation) -> str:
    """Return who may use a service, as its node says."""
    return AVAILABILITIES.get(message.availability, "available")


def operations(assets: Iterable[inventory.Asset]) -> list[str]:
    """Return what can be asked of `assets`, chat first."""
    offered = {operation for one in assets for operation in one.operations}
    return [word for number, word in OPERATIONS.items() if number in offered]


def observed(message: pb.ServiceStatus) -> Document:
    """Return how busy and how fast a service is, as routing takes it."""
    found = message.service
    seen = found.observation
    return {
        "p50_latency_ms": milliseconds(message, "latency_p50"),
        "p95_latency_ms": slowest(message),
        "tokens_per_sec": told(message, "tokens_per_second"),
        "queue_depth": told(seen, "queue_depth"),
        "in_flight": message.in_flight,
        "waiting": message.waiting,
        "engine_in_flight": told(seen, "in_flight"),
        "loaded_model_count": sum(one.loaded for one in found.assets),
        "vram_used_bytes": told(seen, "vram_used_bytes"),
        "kv_cache_utilization": told(seen, "kv_cache_utilization"),
        "max_context_tokens": max((one.context_tokens for one in found.assets), default=0) or None,
        "prompt_tokens_per_sec": told(seen, "prompt_tokens_per_second"),
        "first_token_p50_ms": milliseconds(seen, "first_token_p50"),
        "first_token_p95_ms": milliseconds(seen, "first_token_p95"),
        "answer_p50_ms": milliseconds(seen, "latency_p50"),
        "answer_p95_ms": milliseconds(seen, "latency_p95"),
    }


def learned(message: inventory.LearnedRates) -> Document:
    """Return how fast a service is with one of its assets, as gateways measured it.

    decode_tokens_per_sec: of one answer, by how many are written at the same time.
    """
    return {
        "asset_id": message.asset_id,
        "prompt_tokens_per_sec": told(message, "prefill_tokens_per_second"),
        "decode_tokens_per_sec": {
            str(one.concurrency): one.tokens_per_second for one in message.decode
        },
        "load_s": seconds(message, "load"),
        "answer_tokens": told(message, "answer_tokens"),
        "bytes_per_token": told(message, "bytes_per_token"),
        "slots": told(message, "slots"),
        "sample_count": message.sample_count,
    }


def slowest(message: pb.ServiceStatus) -> float | None:
    """Return the latency in ms of the slowest twentieth, of the same thing as the median.

    That is of first tokens or whole answers, by the node, or of first bytes, by gateways.
    """
    seen = message.service.observation
    if seen.HasField("first_token_p50"):
        return milliseconds(seen, "first_token_p95")
    if seen.HasField("latency_p50"):
        return milliseconds(seen, "latency_p95")
    return milliseconds(message.measured, "first_byte_p95")


def asset(message: inventory.Asset, served_roles: Sequence[str] = ()) -> Document:
    """Return something that a service can serve. served_roles: that it is a candidate for."""
    locator = message.locator
    return {
        "asset_id": message.asset_id,
        "loaded": message.loaded,
        "context_size": message.context_tokens or None,
        "max_context_tokens": message.context_tokens or None,
        "request_policy": _policy(message, "request_policy"),
        "operations": operations([message]),
        "family": message.family or None,
        "labels": list(message.labels),
        "modality": message.modality or None,
        "format": message.format or None,
        "locator": (
            {"kind": locator.kind, "value": locator.value} if message.HasField("locator") else None
        ),
        "metadata": ordered(message.metadata),
        "digest": message.digest or None,
        "capabilities": list(message.capabilities),
        "size_bytes": message.size_bytes or None,
        "roles": list(served_roles),
    }


def request_policy(message: inventory.RequestPolicy) -> Document:
    """Return what is done to requests. What most policies do not say is left out."""
    found: Document = {
        "body_defaults": _object(message.body_defaults),
        "system_prompt": message.system_prompt or None,
        "system_prompt_position": POSITIONS.get(message.system_prompt_position, "prepend"),
    }
    if message.body_overrides:
        found["body_overrides"] = _object(message.body_overrides)
    if message.user_template:
        found["user_template"] = message.user_template
    if message.reasoning in REASONINGS:
        found["reasoning"] = REASONINGS[message.reasoning]
    if message.without_tools:
        found["without_tools"] = True
    return found


def role(message: pb.RoleStatus) -> Document:
    """Return a role and who serves it now."""
    found = message.role
    return {
        "role_id": found.role_id,
        "display_name": found.display_name or found.role_id,
        "description": found.description,
        "operation": OPERATIONS.get(found.operation),
        "modality": found.modality or None,
        "prompt_policy": {
            "system_prompt": found.request_policy.system_prompt or None,
            "user_template": found.request_policy.user_template or None,
            "request_policy": _policy(found, "request_policy"),
        },
        "routing_policy": routing_policy(found),
        "updated_at": moment(message, "update_time"),
        "strategy": STRATEGIES.get(message.strategy),
        "fallback_roles": list(message.fallback_roles),
        **targets(message),
        "service_id": message.service_id or None,
        "asset_id": message.asset_id or None,
        "effective_request_policy": _policy(message, "effective_request_policy"),
    }


def targets(message: pb.RoleStatus) -> Document:
    """Return how many services could serve a role itself, not by its fallbacks."""
    return {
        "healthy_target_count": message.candidate_count,
        "loaded_target_count": message.loaded_candidate_count,
        "best_p50_latency_ms": milliseconds(message, "best_latency_p50"),
    }


def routing_policy(message: roles.Role) -> Document:
    """Return who may serve a role, and who should.

    `force_respond_tool` and `context_budget_mode` can have one value only.
    """
    policy = message.routing_policy
    return {
        "preferred_families": list(policy.preferred_families),
        "preferred_labels": list(policy.preferred_labels),
        "min_context": policy.min_context or None,
        "require_loaded": policy.require_loaded,
        "allow_employee_devices": policy.allow_employee_devices,
        "allowed_trust_tiers": list(policy.allowed_trust_tiers),
        "denied_trust_tiers": list(policy.denied_trust_tiers),
        "allowed_device_classes": list(policy.allowed_device_classes),
        "denied_device_classes": list(policy.denied_device_classes),
        "allowed_workload_classes": list(policy.allowed_workload_classes),
        "denied_workload_classes": list(policy.denied_workload_classes),
        "fallback_roles": list(policy.fallback_roles),
        "guardrail_profile": policy.guardrail_profile or "none",
        "tool_mode": "none" if message.request_policy.without_tools else "auto",
        "force_respond_tool": False,
        "context_budget_mode": "upstream",
        "agentic_benchmark_workloads": list(policy.agentic_benchmark_workloads),
        "allow_providers": policy.allow_providers,
        "strategy": policy.strategy or None,
        "priority": policy.priority or None,
    }


def health(message: pb.GetClusterHealthResponse) -> Document:
    """Return the cluster in numbers."""
    return {
        "status": "ok",
        "host_count": message.host_count,
        "online_host_count": message.online_host_count,
        "stale_host_count": message.lost_host_count,
        "service_count": message.service_count,
        "healthy_service_count": message.healthy_service_count,
        "routable_service_count": message.routable_service_count,
        "held_back_service_count": message.held_back_count,
        "ejected_service_count": message.ejected_count,
        "spared_host_count": message.spared_host_count,
        "asset_count": message.asset_count,
        "loaded_asset_count": message.loaded_asset_count,
        "role_count": message.role_count,
        "benchmark_sample_count": message.benchmark_sample_count,
        "in_flight": message.in_flight,
        "waiting": message.waiting,
        "gateway_count": message.gateway_count,
        "route_version": message.route_version,
        "route_age_s": seconds(message, "route_age"),
        "settled": message.settled,
        "uptime_s": seconds(message, "uptime"),
        "control_version": message.control_version,
        "catalog_problem": message.catalog_problem or None,
        "unusable_resources": ordered(message.unusable_resources),
        "drains": [_drain(one) for one in message.drains],
    }


def _drain(message: pb.Drain) -> Document:
    return {
        "name": message.name,
        "since": moment(message, "start_time"),
        "by": message.principal_id or None,
    }


def report(message: pb.GetHostInventoryResponse) -> Document:
    """Return the last report of a host, without its services."""
    machine = message.machine if message.HasField("machine") else None
    found = machine_documents.resources(message.host) | machine_documents.discovered(machine)
    return {
        **host(message.host),
        "resources": found,
        "report_at": moment(message, "report_time"),
        "report_age_s": seconds(message, "report_age"),
    }


def host_inventory(message: pb.GetHostInventoryResponse) -> Document:
    """Return the last report of a host."""
    return report(message) | {"services": [service(one) for one in message.services]}


def _policy(message: pb.RoleStatus | roles.Role | inventory.Asset, field: str) -> Document | None:
    return request_policy(getattr(message, field)) if message.HasField(field) else None


def _object(text: str) -> object:
    """Return what a JSON object says; control has checked that it is one."""
    return msgspec.json.decode(text) if text else {}


def roles_by_asset(served: Iterable[pb.ServedRole]) -> dict[str, list[str]]:
    """Return the roles that each asset of a service is a candidate for."""
    found: dict[str, list[str]] = {}
    for one in served:
        found.setdefault(one.asset_id, []).append(one.role_id)
    return found


def _probe(message: pb.Probe) -> Document:
    return {
        "health": HEALTHS.get(message.health, "unknown"),
        "observed_at": moment(message, "probe_time"),
        "detail": message.detail or None,
    }


def _measured(message: pb.Measured) -> Document:
    return {
        "since": moment(message, "start_time"),
        "request_count": message.request_count,
        "abandoned_count": message.abandoned_count,
        "error_counts": ordered(message.error_counts),
        "prompt_tokens": message.prompt_tokens,
        "completion_tokens": message.completion_tokens,
        "first_byte_p50_ms": milliseconds(message, "first_byte_p50"),
        "first_byte_p95_ms": milliseconds(message, "first_byte_p95"),
        "tokens_per_sec": told(message, "tokens_per_second"),
    }
