"""Roles, and who serves them, as messages. Copies; judges nothing."""

from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import roles_pb2

from control import messages
from control.overview import RoleView
from control.policy_messages import policy_message
from control.ranking.roles import Role, RoutingPolicy
from control.table_messages import STRATEGY_VALUES


def role_status_message(view: RoleView, loaded_at: float) -> pb.RoleStatus:
    """Return a role and who serves it. loaded_at: of its catalog, in seconds since 1970."""
    message = pb.RoleStatus(
        role=role_message(view.role),
        strategy=STRATEGY_VALUES[view.strategy],
        fallback_roles=view.role.stand_ins,
        candidate_count=view.candidates,
        loaded_candidate_count=view.loaded,
    )
    if view.latency is not None:
        message.best_latency_p50.FromMicroseconds(round(view.latency * 1e6))
    if (first := view.first) is not None:
        message.service_id, message.asset_id = first.service_id, first.asset_id
        if first.policy is not None:
            message.effective_request_policy.CopyFrom(policy_message(first.policy))
    message.update_time.FromMilliseconds(int(loaded_at * 1000))
    return message


def role_message(found: Role) -> roles_pb2.Role:
    """Return a role as it was written."""
    message = roles_pb2.Role(
        role_id=found.role_id,
        display_name=found.display_name,
        description=found.description,
        operation=messages.OPERATION_VALUES[found.operation],
        modality=found.modality,
        routing_policy=_routing_message(found.routing),
    )
    if found.request_policy is not None:
        message.request_policy.CopyFrom(policy_message(found.request_policy))
    return message


def _routing_message(found: RoutingPolicy) -> roles_pb2.RoutingPolicy:
    return roles_pb2.RoutingPolicy(
        preferred_families=found.preferred_families,
        preferred_labels=found.preferred_labels,
        min_context=found.min_context,
        require_loaded=found.require_loaded,
        allow_employee_devices=found.allow_employee_devices,
        allow_providers=found.allow_providers,
        allowed_trust_tiers=found.allowed_trust_tiers,
        denied_trust_tiers=found.denied_trust_tiers,
        allowed_device_classes=found.allowed_device_classes,
        denied_device_classes=found.denied_device_classes,
        allowed_workload_classes=found.allowed_workload_classes,
        denied_workload_classes=found.denied_workload_classes,
        fallback_roles=found.fallback_roles,
        guardrail_profile=found.guardrail_profile,
        agentic_benchmark_workloads=found.agentic_benchmark_workloads,
        strategy=found.strategy,
        priority=found.priority,
    )
