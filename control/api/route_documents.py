"""What control answers about routes as JSON: the same over HTTP and from the command."""

from collections.abc import Mapping

from geniehive.v1 import discovery_service_pb2 as discovery
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control.api.message_values import seconds

Document = dict[str, object]

OPERATION_VALUES: Mapping[str, inventory.Operation] = {
    "chat": inventory.OPERATION_CHAT,
    "embeddings": inventory.OPERATION_EMBEDDINGS,
    "transcription": inventory.OPERATION_TRANSCRIPTION,
}
OPERATIONS: Mapping[int, str] = {number: word for word, number in OPERATION_VALUES.items()}
STRATEGIES: Mapping[int, str] = {
    number: name.removeprefix("STRATEGY_").lower() for name, number in pb.Strategy.items() if number
}
# What a request takes, in order.
EXPECTED = ("slot", "pending", "load", "prefill", "decode")
AVAILABILITIES: Mapping[int, str] = {
    number: name.removeprefix("AVAILABILITY_").lower()
    for name, number in inventory.Availability.items()
    if number
}


def explanation(answer: pb.ResolveRouteResponse) -> Document:
    """Return all that control says of where a request goes. Fields are only ever added."""
    return outline(answer) | {
        "candidates": [candidate(one) for one in answer.candidates],
        "explanations": [explained(one) for one in answer.explanations],
    }


def outline(answer: pb.ResolveRouteResponse) -> Document:
    """Return an explanation without what it says of each service."""
    return {
        "model": answer.model,
        "operation": OPERATIONS.get(answer.operation),
        "role_id": answer.role_id or None,
        "strategy": STRATEGIES.get(answer.strategy),
        "fallback_roles": list(answer.fallback_roles),
        "passed_over": [
            {"role_id": one.role_id, "reason": one.reason} for one in answer.passed_over
        ],
        "lead": _lead(answer.lead) if answer.HasField("lead") else None,
        "would_change": list(answer.would_change),
        "table": {
            "store_id": answer.table.store_id,
            "incarnation": answer.table.incarnation,
            "version": answer.table.version,
        },
    }


def matches(answer: pb.MatchRoutesResponse, kind: str | None, modality: str | None) -> Document:
    """Return how well roles and services fit. kind, modality: as they were asked for."""
    return question(answer, kind, modality) | {
        "candidates": [match(one) for one in answer.candidates]
    }


def question(answer: pb.MatchRoutesResponse, kind: str | None, modality: str | None) -> Document:
    """Return what was asked, without what fits."""
    return {
        "task_count": len(answer.tasks),
        "tasks": list(answer.tasks),
        "workloads": list(answer.workloads),
        "kind": kind,
        "modality": modality,
    }


def url(endpoint: inventory.Endpoint) -> str:
    """Return where a service is reached, as one text."""
    return f"{endpoint.scheme}://{endpoint.address}{endpoint.base_path}"


def ejection(message: discovery.ServiceStatus | pb.Explanation) -> Document | None:
    """Return that gateways keep a service out of rotation, None when none does."""
    if not message.HasField("ejection"):
        return None
    found = message.ejection
    return {
        "remaining_s": seconds(found, "remaining"),
        "reason": found.reason,
        "gateways": found.gateway_count,
    }


def _lead(lead: pb.Lead) -> Document:
    return {
        "service_id": lead.service_id,
        "over_service_id": lead.over_service_id,
        "by": lead.by,
    }


def candidate(found: pb.ResolvedCandidate) -> Document:
    """Return who can serve."""
    told = found.candidate
    return {
        "service_id": told.service_id,
        "asset_id": told.asset_id,
        "score": told.score,
        "tier": told.tier,
        "runtime": told.runtime,
        "policy_id": f"{told.policy_id:016x}" if told.policy_id else None,
        "endpoint": url(found.endpoint),
        "in_flight": found.in_flight,
    }


def explained(one: pb.Explanation) -> Document:
    """Return why a service is, or is not, a candidate."""
    return {
        "service_id": one.service_id,
        "asset_id": one.asset_id or None,
        "chosen": one.chosen,
        "score": one.score,
        "tier": one.tier,
        "gates": [
            {"name": gate.name, "passed": gate.passed, "detail": gate.detail} for gate in one.gates
        ],
        "terms": [_term(term) for term in one.terms],
        "preferences": list(one.preferences),
        "in_flight": one.in_flight,
        "queue_depth": one.queue_depth,
        "waiting": one.waiting,
        "live_penalty": one.live_penalty,
        "ejection": ejection(one),
        "expected": _expected(one.expected) if one.HasField("expected") else None,
    }


def _expected(found: pb.ExpectedCompletion) -> Document:
    """Return what a usual request would take there, in seconds; and what is compared of it."""
    return {
        **{f"{name}_s": seconds(found, name) or 0.0 for name in EXPECTED},
        "cost": found.cost,
    }


def _term(term: pb.ScoreTerm) -> Document:
    return {
        "name": term.name,
        "weight": term.weight,
        "value": term.value,
        "detail": term.detail,
    }


def match(one: pb.RouteMatch) -> Document:
    """Return how well a role or a service fits."""
    is_role = one.WhichOneof("candidate") == "role_id"
    service_id = one.service_id or one.direct_service_id
    service = {
        "service_id": service_id,
        "host_id": service_id.partition("/")[0],
        "asset_id": one.asset_id or None,
    }
    return {
        "candidate_type": "role" if is_role else "service",
        "candidate_id": one.role_id if is_role else one.direct_service_id,
        "operation": OPERATIONS.get(one.operation),
        "score": one.score,
        "reasons": list(one.reasons),
        "signals": _signals(one.signals, is_role=is_role),
        "terms": [_term(term) for term in one.terms],
        "role": {"role_id": one.role_id} if is_role else None,
        "service": service if service_id else None,
    }


def _signals(found: pb.MatchSignals, *, is_role: bool) -> Document:
    """Return what was looked at; null where it is not known."""
    signals: Document = {"task_overlap": found.task_overlap}
    if is_role:
        signals["preferred_family_match"] = _told(found, "preferred_family_match")
        signals["guardrail_profile_match"] = _told(found, "guardrail_profile_match")
    age = found.benchmark_age.ToMilliseconds() / 1_000 if found.HasField("benchmark_age") else None
    latency = found.latency_p50.ToMicroseconds() / 1_000 if found.HasField("latency_p50") else None
    return signals | {
        "loaded": _told(found, "loaded"),
        "p50_latency_ms": latency,
        "tokens_per_sec": _told(found, "tokens_per_second"),
        "queue_depth": _told(found, "queue_depth"),
        "loaded_model_count": _told(found, "loaded_model_count"),
        "availability": AVAILABILITIES.get(found.availability),
        "benchmark_match_count": found.benchmark_match_count,
        "best_workload_overlap": found.best_workload_overlap,
        "benchmark_quality_score": _told(found, "benchmark_quality_score"),
        "benchmark_age_s": age,
        "benchmark_replaced_count": found.benchmark_replaced_count,
    }


def _told(message: pb.MatchSignals, field: str) -> object:
    return getattr(message, field) if message.HasField(field) else None
