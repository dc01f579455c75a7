"""Asks control about routes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import grpc
from geniehive.v1 import routing_service_pb2 as pb
from geniehive.v1 import routing_service_pb2_grpc as pb_grpc

from cli.output import UNREACHABLE, USAGE, Failure
from control.api import auth
from control.api.channel import control_errors
from control.api.errors import BadRequest, NotReady
from control.api.route_documents import OPERATION_VALUES


def explain(
    channel: grpc.Channel,
    name: str,
    operation: str | None,
    timeout: float,
    metadata: auth.Metadata = (),
) -> pb.ResolveRouteResponse:
    """Return where a request for `name` would go, and why.

    operation: a word, or None for what the name is there for. timeout: seconds.

    Raises:
        Failure: control refuses the question.
        grpc.RpcError: control did not answer, or does not know the name.
    """
    request = pb.ResolveRouteRequest(
        model=name, operation=OPERATION_VALUES[operation] if operation else None, explain=True
    )
    with _refusals():
        answer: pb.ResolveRouteResponse = pb_grpc.RoutingServiceStub(channel).ResolveRoute(
            request, timeout=timeout, metadata=metadata
        )
    return answer


def match(
    channel: grpc.Channel,
    request: pb.MatchRoutesRequest,
    timeout: float,
    metadata: auth.Metadata = (),
) -> pb.MatchRoutesResponse:
    """Return what fits best. Raises as `explain`."""
    with _refusals():
        answer: pb.MatchRoutesResponse = pb_grpc.RoutingServiceStub(channel).MatchRoutes(
            request, timeout=timeout, metadata=metadata
        )
    return answer


def match_request(
    tasks: Sequence[str],
    workloads: Sequence[str],
    operation: str | None,
    modality: str | None,
    limit: int,
    *,
    roles_only: bool,
) -> pb.MatchRoutesRequest:
    """Return the question for what fits. operation: a word."""
    return pb.MatchRoutesRequest(
        tasks=tasks,
        workloads=workloads,
        operation=OPERATION_VALUES[operation] if operation else None,
        modality=modality,
        include_direct_services=not roles_only,
        limit=limit,
    )


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what speaks against a question into what a person can do about it."""
    try:
        with control_errors():
            yield
    except BadRequest as error:
        raise Failure(str(error), USAGE, error.code) from error
    except NotReady as error:
        raise Failure(str(error), UNREACHABLE, error.code, fix="try again in a second") from error
