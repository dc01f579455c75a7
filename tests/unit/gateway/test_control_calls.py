"""What clients are told when control refuses, or is away."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from geniehive.v1 import routing_service_pb2 as pb
from geniehive.v1 import routing_service_pb2_grpc as pb_grpc

from control.api import logs
from control.api.channel import aio_channel
from control.api.errors import REASON_KEY, ControlUnavailable, GenieHiveError, ModelNotFound
from gateway.control_calls import ControlCalls

pytestmark = pytest.mark.anyio

ASKED = pb.ResolveRouteRequest(model="m")


class Control(pb_grpc.RoutingServiceServicer):
    """Refuses with what it is made of; with nothing, it never answers."""

    def __init__(self, status=None, reason=""):
        self.refusal = status, "control says 10.0.0.3 why", ((REASON_KEY, reason),)
        self.keys = []

    async def ResolveRoute(self, request, context):
        self.keys.append(dict(context.invocation_metadata()).get("x-geniehive-gateway-key"))
        if self.refusal[0] is None:
            await asyncio.Event().wait()
        await context.abort(*self.refusal)


@asynccontextmanager
async def calls(control, seconds=10.0):
    server = grpc.aio.server()
    pb_grpc.add_RoutingServiceServicer_to_server(control, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with aio_channel(f"127.0.0.1:{port}") as channel:
            yield ControlCalls(channel, "gw-key", seconds)
    finally:
        await server.stop(None)


async def test_the_key_of_the_gateway_is_presented_and_a_refusal_is_the_same_error():
    control = Control(grpc.StatusCode.NOT_FOUND, "model_not_found")
    async with calls(control) as asked:
        with pytest.raises(ModelNotFound, match="control says"):
            await asked.resolve(ASKED)

    assert control.keys == ["gw-key"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "invalid_api_key"),
        (grpc.StatusCode.PERMISSION_DENIED, "operation_not_allowed"),
        (grpc.StatusCode.UNAVAILABLE, ""),
    ],
)
async def test_what_is_between_gateway_and_control_is_no_fault_of_the_client(status, reason):
    async with calls(Control(status, reason)) as asked:
        with pytest.raises(ControlUnavailable) as raised:
            await asked.resolve(ASKED)

    assert "10.0.0.3" not in str(raised.value)
    assert raised.value.retry_after == 1


async def test_control_that_does_not_answer_in_time_is_not_waited_for():
    async with calls(Control(), seconds=0.05) as asked:
        with pytest.raises(ControlUnavailable):
            await asked.resolve(ASKED)


async def test_no_control_at_all_is_told_at_once():
    async with aio_channel("127.0.0.1:1") as channel:
        with pytest.raises(GenieHiveError) as raised:
            await ControlCalls(channel, None).match(pb.MatchRoutesRequest())

    assert raised.value.code == "control_unavailable"


async def test_control_is_told_of_which_request_a_call_is():
    seen = []

    class Named(pb_grpc.RoutingServiceServicer):
        async def ResolveRoute(self, request, context):
            seen.append(dict(context.invocation_metadata()).get(logs.REQUEST_ID_KEY))
            return pb.ResolveRouteResponse()

    logs.request_id.set("")  # whatever ran before in this context
    async with calls(Named()) as asked:
        await asked.resolve(ASKED)
        logs.request_id.set("req_7")
        await asked.resolve(ASKED)

    assert seen == [None, "req_7"]
