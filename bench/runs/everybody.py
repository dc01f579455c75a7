"""Whom `--all` asks: every service that may be asked by its own name, with what fits it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from geniehive.v1 import discovery_service_pb2 as discovery
from geniehive.v1 import routing_service_pb2 as routing

from bench.runs.workload import Workload
from cli import cluster, routes
from control.api import auth
from control.api.errors import NotFound
from control.api.route_documents import OPERATION_VALUES, OPERATIONS


@dataclass(frozen=True, slots=True)
class Everybody:
    """Services with the workloads of what they do, and those that are left out, and why."""

    asked: dict[str, tuple[Workload, ...]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def everybody(
    channel: grpc.Channel,
    workloads: Sequence[Workload],
    timeout: float,
    metadata: auth.Metadata = (),
) -> Everybody:
    """Return whom to ask what. Each question to control may take `timeout` seconds.

    Raises:
        grpc.RpcError: control did not answer, or refused.
    """
    found = Everybody()
    for status in cluster.read(channel, timeout, metadata).services:
        service_id = status.service.service_id
        fitting = fitting_workloads(status, workloads)
        if not status.routable:
            found.skipped[service_id] = "nothing is routed to it now"
        elif not fitting:
            found.skipped[service_id] = "no workload fits what it does"
        else:
            operation = fitting[0].operation
            try:
                answer = routes.explain(channel, service_id, operation, timeout, metadata)
                why = refusal(answer, service_id)
            except NotFound as error:  # withdrawn since it was listed
                why = str(error)
            if why:
                found.skipped[service_id] = why
            else:
                found.asked[service_id] = fitting
    return found


def fitting_workloads(
    status: discovery.ServiceStatus, workloads: Sequence[Workload]
) -> tuple[Workload, ...]:
    """Return the workloads of the operations that a service offers."""
    offered = {number for asset in status.service.assets for number in asset.operations}
    return tuple(one for one in workloads if OPERATION_VALUES[one.operation] in offered)


def refusal(answer: routing.ResolveRouteResponse, service_id: str) -> str:
    """Return why a service must not be asked by its own name; empty when it may."""
    if any(one.candidate.service_id == service_id for one in answer.candidates):
        return ""
    for one in answer.explanations:
        if one.service_id == service_id:
            shut = [f"{gate.name}: {gate.detail}" for gate in one.gates if not gate.passed]
            if shut:
                return "; ".join(shut)
    return f"not to be asked by its own name for {OPERATIONS.get(answer.operation, 'this')}"
