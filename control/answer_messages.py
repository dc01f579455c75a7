"""Questions about routes, answered from a view of the cluster: message to message."""

from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control import answers, messages
from control.answers import Resolved
from control.api.completion import Expected
from control.api.errors import InvalidValue
from control.ejection_messages import ejection_message
from control.inventory import Operation
from control.lookout import View
from control.ranking.candidates import Candidate
from control.ranking.explaining import Explained, Explanation
from control.ranking.matching import Match, MatchSignals, Task, listed
from control.ranking.terms import Term
from control.table_messages import STRATEGY_VALUES, candidate_message, identity_message

MAX_TEXTS = 100
MAX_CHARACTERS = 100_000  # of all texts of a task
MATCHES, MAX_MATCHES = 10, 1_000
MAX_EXPECTED_S = 1e6  # that anything takes which is slower than nothing


def resolve(request: pb.ResolveRouteRequest, view: View) -> pb.ResolveRouteResponse:
    """Return where a request would go, and why if that is asked for.

    Raises:
        GenieHiveError: the name cannot be resolved; with `explain` only what nobody has,
            or has for another operation.
    """
    name, wanted = request.model, operation(request.operation)
    if not request.explain:
        return _resolved(view, name, answers.routed(view, name, wanted))
    found, explained = answers.explain(view, name, wanted)
    message = _resolved(view, name, found)
    _explain(message, explained)
    for one in message.explanations:
        if (ejection := view.ejections.get(one.service_id)) is not None:
            one.ejection.CopyFrom(ejection_message(ejection))
    return message


def match(request: pb.MatchRoutesRequest, view: View) -> pb.MatchRoutesResponse:
    """Return what fits a task best.

    Raises:
        InvalidValue: it is too long, or less than one match is asked for.
    """
    wanted = task(request)
    return pb.MatchRoutesResponse(
        candidates=[_match(one) for one in answers.match(view, wanted)],
        tasks=wanted.texts,
        workloads=wanted.workloads,
    )


def operation(value: int) -> Operation | None:
    """Return the operation that is asked for, None where none is.

    Raises:
        InvalidValue: it is none of ours.
    """
    if value == inventory.OPERATION_UNSPECIFIED:
        return None
    if (found := messages.OPERATIONS.get(value)) is None:
        raise InvalidValue(f"operation {value} is not one of ours", param="operation")
    return found


def task(request: pb.MatchRoutesRequest) -> Task:
    """Return what is to be done.

    Raises:
        InvalidValue: it is too long, or less than one match is asked for.
    """
    texts = (request.task, *request.tasks)
    workloads = (request.workload, *request.workloads)
    for name, more in (("tasks", request.tasks), ("workloads", request.workloads)):
        if len(more) > MAX_TEXTS:
            raise InvalidValue(f"{name} holds more than {MAX_TEXTS} texts", param=name)
    if sum(map(len, (*texts, *workloads, request.modality))) > MAX_CHARACTERS:
        raise InvalidValue(f"the task has more than {MAX_CHARACTERS:,} characters", param="task")
    limit = request.limit if request.HasField("limit") else MATCHES
    if limit < 1:
        raise InvalidValue(f"limit {limit} is less than 1", param="limit")
    asked_for = request.HasField("include_direct_services")
    return Task(
        listed("", texts),
        listed("", workloads),
        operation(request.operation),
        request.modality,
        request.include_direct_services if asked_for else True,
        min(limit, MAX_MATCHES),
    )


def _resolved(view: View, name: str, found: Resolved) -> pb.ResolveRouteResponse:
    return pb.ResolveRouteResponse(
        model=name,
        operation=messages.OPERATION_VALUES[found.operation],
        candidates=[_candidate(view, one) for one in found.candidates],
        table=identity_message(view.table),
        role_id=found.role_id,
        strategy=STRATEGY_VALUES[found.strategy],
    )


def _candidate(view: View, candidate: Candidate) -> pb.ResolvedCandidate:
    seen = view.seen.get(candidate.service_id)
    message = pb.ResolvedCandidate(candidate=candidate_message(candidate))
    if seen is not None:  # it may have left meanwhile
        message.endpoint.CopyFrom(messages.endpoint_message(seen.subject.service.endpoint))
        message.in_flight = seen.load.in_flight
    return message


def _explain(message: pb.ResolveRouteResponse, explained: Explained) -> None:
    message.explanations.extend(map(_explanation, explained.explanations))
    message.fallback_roles.extend(explained.stand_ins)
    for role_id, reason in explained.passed_over:
        message.passed_over.add(role_id=role_id, reason=reason)
    if (lead := explained.lead) is not None:
        message.lead.service_id = lead.service_id
        message.lead.over_service_id = lead.over
        message.lead.by = lead.by
    message.would_change.extend(explained.would_change)


def _explanation(one: Explanation) -> pb.Explanation:
    return pb.Explanation(
        service_id=one.service_id,
        asset_id=one.asset_id,
        gates=[
            pb.Gate(name=gate.name, passed=gate.passed, detail=gate.detail) for gate in one.gates
        ],
        terms=map(_term, one.terms),
        score=one.score,
        tier=one.tier,
        preferences=one.preferences,
        in_flight=one.in_flight,
        queue_depth=one.queue_depth,
        live_penalty=one.live_penalty,
        chosen=one.chosen,
        expected=_expected(one.expected) if one.expected else None,
        waiting=one.waiting,
    )


def _expected(one: Expected) -> pb.ExpectedCompletion:
    message = pb.ExpectedCompletion(cost=one.cost)
    for field, seconds in (
        (message.slot, one.slot),
        (message.pending, one.pending),
        (message.load, one.load),
        (message.prefill, one.prefill),
        (message.decode, one.decode),
    ):
        field.FromMicroseconds(round(min(seconds, MAX_EXPECTED_S) * 1e6))
    return message


def _term(term: Term) -> pb.ScoreTerm:
    return pb.ScoreTerm(name=term.name, weight=term.weight, value=term.value, detail=term.detail)


def _match(one: Match) -> pb.RouteMatch:
    message = pb.RouteMatch(
        operation=messages.OPERATION_VALUES[one.operation],
        score=one.score,
        reasons=one.reasons,
        signals=_signals(one.signals),
        terms=map(_term, one.terms),
    )
    if one.serving is not None:
        message.service_id = one.serving.subject.service.service_id
        message.asset_id = one.serving.asset.asset_id
    if one.role is not None:
        message.role_id = one.role.role_id
    else:
        message.direct_service_id = message.service_id
    return message


def _signals(signals: MatchSignals) -> pb.MatchSignals:
    evidence = signals.evidence
    message = pb.MatchSignals(
        task_overlap=signals.task_overlap,
        preferred_family_match=signals.preferred_family,
        guardrail_profile_match=signals.guardrail_profile,
        loaded=signals.loaded,
        tokens_per_second=signals.tokens_per_second,
        queue_depth=signals.queue_depth,
        loaded_model_count=signals.loaded_model_count,
        benchmark_match_count=evidence.count,
        best_workload_overlap=evidence.overlap,
        benchmark_quality_score=evidence.quality if evidence.count else None,
        benchmark_replaced_count=evidence.replaced,
    )
    if evidence.age is not None:
        message.benchmark_age.FromMilliseconds(round(evidence.age * 1e3))
    if signals.latency_p50 is not None:
        message.latency_p50.FromMicroseconds(round(signals.latency_p50 * 1e6))
    if signals.availability is not None:
        message.availability = messages.AVAILABILITY_VALUES[signals.availability]
    return message
