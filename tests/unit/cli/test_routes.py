"""Questions about routes, against the test server of gRPC."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc_testing
import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from cli import routes
from cli.output import UNREACHABLE, USAGE, Failure
from control.api import auth

ROUTING = pb.DESCRIPTOR.services_by_name["RoutingService"]
OPERATOR = auth.metadata("operator", "secret")
SECONDS = 5.0  # ends a client that the test forgot


@pytest.fixture
def channel():
    return grpc_testing.channel([ROUTING], grpc_testing.strict_real_time())


@pytest.fixture
def client():
    """Runs the client, which blocks, while the test plays control."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def answer(channel, method, response, status=grpc.StatusCode.OK, reason=""):
    """Answer the next use of `method`; return what was presented and asked."""
    metadata, request, call = channel.take_unary_unary(ROUTING.methods_by_name[method])
    call.send_initial_metadata(())
    call.terminate(response, (("geniehive-reason", reason),), status, "control says why")
    return dict(metadata), request


def test_an_explanation_is_asked_for_as_who_types(channel, client):
    asking = client.submit(routes.explain, channel, "mentor", None, SECONDS, OPERATOR)
    metadata, request = answer(channel, "ResolveRoute", pb.ResolveRouteResponse(model="mentor"))

    assert metadata["authorization"] == "Bearer secret"
    assert request == pb.ResolveRouteRequest(model="mentor", explain=True)
    assert asking.result(SECONDS).model == "mentor"


def test_an_operation_is_asked_for_by_its_word(channel, client):
    client.submit(routes.explain, channel, "m", "embeddings", SECONDS)
    _, request = answer(channel, "ResolveRoute", pb.ResolveRouteResponse())

    assert request.operation == inventory.OPERATION_EMBEDDINGS


def test_a_match_carries_all_that_was_typed(channel, client):
    request = routes.match_request(["a", "b"], ["w"], "chat", "text", 3, roles_only=True)
    matching = client.submit(routes.match, channel, request, SECONDS, OPERATOR)
    _, asked = answer(channel, "MatchRoutes", pb.MatchRoutesResponse(tasks=["a", "b"]))

    assert asked == pb.MatchRoutesRequest(
        tasks=["a", "b"],
        workloads=["w"],
        operation=inventory.OPERATION_CHAT,
        modality="text",
        include_direct_services=False,
        limit=3,
    )
    assert matching.result(SECONDS).tasks == ["a", "b"]


@pytest.mark.parametrize(
    ("status", "reason", "exit_code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "operation_mismatch", USAGE),
        (grpc.StatusCode.INVALID_ARGUMENT, "invalid_value", USAGE),
        (grpc.StatusCode.UNAVAILABLE, "not_ready", UNREACHABLE),
    ],
)
def test_a_question_that_control_refuses_is_told_in_its_words(
    channel, client, status, reason, exit_code
):
    asking = client.submit(routes.explain, channel, "m", None, SECONDS)
    answer(channel, "ResolveRoute", None, status, reason)

    with pytest.raises(Failure, match=r"^control says why$") as failed:
        asking.result(SECONDS)
    assert (failed.value.exit_code, failed.value.code) == (exit_code, reason)
