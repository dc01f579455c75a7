"""What control raised is raised again on the other side, whatever gRPC makes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import grpc
import pytest
from geniehive.v1 import routing_service_pb2 as pb
from geniehive.v1 import routing_service_pb2_grpc as rpc

from control.api.channel import SERVER_OPTIONS, aio_channel, control_errors
from control.api.errors import (
    REASON_KEY,
    ControlUnavailable,
    GenieHiveError,
    NoHealthyRoute,
    NotFound,
)

pytestmark = pytest.mark.anyio


class Refusals(rpc.RoutingServiceServicer):
    """Refuses every call in the way it is asked to."""

    def __init__(self) -> None:
        self.status = grpc.StatusCode.OK
        self.reason: str | None = None

    async def ResolveRoute(self, request, context):
        trailers = ((REASON_KEY, self.reason),) if self.reason else ()
        await context.abort(self.status, "because", trailers)

    async def WatchRoutes(self, requests, context):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        yield


@pytest.fixture
async def refusals(one_loop) -> AsyncIterator[tuple[Refusals, rpc.RoutingServiceStub]]:
    servicer = Refusals()
    server = grpc.aio.server(options=SERVER_OPTIONS)
    rpc.add_RoutingServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio_channel(f"127.0.0.1:{port}") as channel:
        yield servicer, rpc.RoutingServiceStub(channel)
    await server.stop(None)


@pytest.mark.parametrize(
    ("status", "reason", "raised"),
    [
        (grpc.StatusCode.UNAVAILABLE, "no_healthy_route", NoHealthyRoute),
        (grpc.StatusCode.NOT_FOUND, None, NotFound),
        (grpc.StatusCode.UNAVAILABLE, "a word of a newer control", ControlUnavailable),
        (grpc.StatusCode.DATA_LOSS, None, GenieHiveError),
        (grpc.StatusCode.INTERNAL, "internal_error", GenieHiveError),
        (grpc.StatusCode.INTERNAL, None, ControlUnavailable),
    ],
    ids=["by-reason", "by-status", "unknown-reason", "unknown-status", "bug", "transport"],
)
async def test_an_error_keeps_its_class(refusals, status, reason, raised):
    servicer, stub = refusals
    servicer.status, servicer.reason = status, reason
    with pytest.raises(GenieHiveError) as caught, control_errors():
        await stub.ResolveRoute(pb.ResolveRouteRequest(model="a"))

    assert type(caught.value) is raised
    assert str(caught.value) == "because"


async def test_a_control_that_is_not_there_is_unavailable(one_loop):
    async with aio_channel("127.0.0.1:1") as channel:
        stub = rpc.RoutingServiceStub(channel)
        with pytest.raises(ControlUnavailable), control_errors():
            await stub.ResolveRoute(pb.ResolveRouteRequest(model="a"), timeout=5.0)


async def test_a_write_to_a_stream_that_has_ended_is_unavailable(refusals):
    """grpc.aio raises no status then; what writes must not die of it."""
    _, stub = refusals
    stream = stub.WatchRoutes()
    assert await stream.code() == grpc.StatusCode.UNAVAILABLE

    with pytest.raises(ControlUnavailable), control_errors():
        await stream.write(pb.WatchRoutesRequest())


@pytest.mark.parametrize("met", [None, KeyError("anything"), NotFound("gone")])
async def test_a_task_that_was_cancelled_ends_whatever_it_met_at_that_moment(met):
    """grpc.aio swallowed the cancellation, and a gateway or node that was to stop never did."""

    async def life():
        with control_errors():
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            raise met or ControlUnavailable("the stream ended")

    task = asyncio.create_task(life())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()


def test_outside_a_loop_nothing_is_cancelled():
    with pytest.raises(KeyError), control_errors():
        raise KeyError
