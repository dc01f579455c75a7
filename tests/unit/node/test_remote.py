"""The node's calls against a real gRPC server in this process."""

import asyncio
import contextlib

import grpc
import pytest
from geniehive.v1 import registry_service_pb2 as pb
from geniehive.v1 import registry_service_pb2_grpc as pb_grpc

from control.api.channel import aio_channel
from control.api.errors import REASON_KEY, ControlUnavailable, HostIdInUse, LeaseLost
from node.remote import GrpcRemote
from node.session import Beat, Pace, StreamEnded
from node.state import Host, Metrics, Observation, Report, Service, Watched

REPORT = Report(
    Host("h"),
    Metrics(0.0, 1),
    (Watched(Service("h/x", "http://a:1", "chat"), Observation("healthy")),),
)
PATIENCE = 5.0


class Registry(pb_grpc.RegistryServiceServicer):
    """Control as a test wants it: `on_beat` answers a beat, raises, or waits."""

    def __init__(self):
        self.requests = []
        self.metadata = []
        self.refuse = None
        self.on_beat = self.answer

    async def RegisterHost(self, request, context):
        await self.note(request, context)
        response = pb.RegisterHostResponse(lease=pb.Lease(generation=7))
        response.pace.heartbeat_interval.FromMilliseconds(1500)
        return response

    async def DeregisterHost(self, request, context):
        await self.note(request, context)
        return pb.DeregisterHostResponse()

    async def StreamHeartbeats(self, requests, context):
        async for request in requests:
            await self.note(request.heartbeat, context)
            async for response in self.on_beat(request.heartbeat, context):
                if response is None:
                    return  # ends the stream in order
                yield response

    async def answer(self, beat, context):
        yield pb.StreamHeartbeatsResponse(sequence=beat.sequence)

    async def note(self, request, context):
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        if self.refuse:
            code, reason = self.refuse
            await context.abort(code, "no", ((REASON_KEY, reason),))


@pytest.fixture
async def registry(one_loop):
    return Registry()


@pytest.fixture
async def server(registry):
    server = grpc.aio.server()
    pb_grpc.add_RegistryServiceServicer_to_server(registry, server)
    server.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield server
    await server.stop(None)


@pytest.fixture
async def remote(server):
    async with aio_channel(f"127.0.0.1:{server.port}") as channel:
        yield GrpcRemote(channel, "one", "secret")


def beat(sequence=1):
    return Beat(7, sequence, REPORT, frozenset())


@pytest.mark.anyio
async def test_registration_presents_instance_and_key(remote, registry):
    grant = await remote.register(REPORT)

    assert grant.generation == 7
    assert grant.pace == Pace(1.5, 4.5, 2.0)
    assert registry.requests[0].instance_id == "one"
    assert registry.metadata[0]["x-geniehive-node-key"] == "secret"


@pytest.mark.anyio
async def test_lease_is_given_back_with_its_generation(remote, registry):
    await remote.deregister("h", 7)

    assert registry.requests[0].lease == pb.Lease(host_id="h", instance_id="one", generation=7)


@pytest.mark.anyio
async def test_refusal_arrives_as_what_it_is(remote, registry):
    registry.refuse = (grpc.StatusCode.ALREADY_EXISTS, "host_id_in_use")

    with pytest.raises(HostIdInUse, match="no"):
        await remote.register(REPORT)


@pytest.mark.anyio
async def test_beats_share_one_stream(remote, registry):
    async with remote.stream() as stream:
        await stream.beat(beat(1), PATIENCE)
        await stream.beat(beat(2), PATIENCE)

    assert [request.sequence for request in registry.requests] == [1, 2]
    assert registry.requests[0].lease.generation == 7


@pytest.mark.anyio
async def test_wishes_of_control_arrive(remote, registry):
    async def answer(beat, context):
        yield pb.StreamHeartbeatsResponse(sequence=0, wanted_service_ids=["h/old"])
        yield pb.StreamHeartbeatsResponse(
            sequence=1, wanted_service_ids=["h/x"], refused_services={"h/y": "why"}
        )

    registry.on_beat = answer
    async with remote.stream() as stream:
        answer = await stream.beat(beat(1), PATIENCE)

    assert answer.wanted == {"h/x"}
    assert answer.refused == {"h/y": "why"}


@pytest.mark.anyio
async def test_lost_lease_is_told_apart(remote, registry):
    registry.refuse = (grpc.StatusCode.NOT_FOUND, "lease_lost")
    async with remote.stream() as stream:
        with pytest.raises(LeaseLost):
            await stream.beat(beat(), PATIENCE)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "code", [None, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED], ids=str
)
@pytest.mark.parametrize(("answers", "raised"), [(1, StreamEnded), (0, ControlUnavailable)])
async def test_end_of_a_stream_that_has_answered_is_no_silence(
    remote, registry, code, answers, raised
):
    async def end(beat, context):
        if beat.sequence <= answers:
            yield pb.StreamHeartbeatsResponse(sequence=beat.sequence)
        elif code:
            await context.abort(code, "age")
        else:
            yield None

    registry.on_beat = end
    async with remote.stream() as stream:
        for sequence in range(answers):
            await stream.beat(beat(sequence + 1), PATIENCE)
        with pytest.raises(raised):
            await stream.beat(beat(answers + 1), PATIENCE)


@pytest.mark.anyio
async def test_a_stream_that_does_not_answer_is_given_up(remote, registry):
    async def never(beat, context):
        await asyncio.Event().wait()
        yield

    registry.on_beat = never
    async with remote.stream() as stream:
        with pytest.raises(ControlUnavailable, match=r"no answer to a beat within 0\.1 s"):
            await stream.beat(beat(), 0.1)


@pytest.mark.anyio
async def test_our_own_cancellation_ends_the_beat(remote, registry):
    async def never(beat, context):
        registry.reached.set()
        await asyncio.Event().wait()
        yield

    registry.reached = asyncio.Event()
    registry.on_beat = never

    async def live():
        async with remote.stream() as stream:
            await stream.beat(beat(), PATIENCE)

    task = asyncio.ensure_future(live())
    await registry.reached.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert task.cancelled()


@pytest.mark.anyio
async def test_nobody_listening_is_silence(server):
    await server.stop(None)
    async with aio_channel(f"127.0.0.1:{server.port}") as channel:
        remote = GrpcRemote(channel, "one", None)
        with pytest.raises(ControlUnavailable):
            await remote.register(REPORT)
        async with remote.stream() as stream:
            with pytest.raises(ControlUnavailable):
                await stream.beat(beat(), PATIENCE)


@pytest.mark.anyio
async def test_after_hanging_up_the_next_call_connects_anew(server, registry):
    address = f"127.0.0.1:{server.port}"
    first = aio_channel(address)
    remote = GrpcRemote(first, "one", None, renew=lambda: aio_channel(address))
    await remote.register(REPORT)
    await remote.hang_up()
    assert first.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    await remote.register(REPORT)
    await remote.close()

    assert len(registry.requests) == 2


@pytest.mark.anyio
async def test_a_node_that_stops_while_it_hangs_up_still_gives_its_lease_back(
    server, registry, monkeypatch
):
    address = f"127.0.0.1:{server.port}"
    first = aio_channel(address)
    remote = GrpcRemote(first, "one", None, renew=lambda: aio_channel(address))
    close, closed = first.close, asyncio.Event()

    async def close_slowly():
        await close()
        closed.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(first, "close", close_slowly)
    hanging_up = asyncio.create_task(remote.hang_up())
    await closed.wait()
    hanging_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging_up

    await remote.deregister("h1", 1)
    await remote.close()


@pytest.mark.anyio
async def test_a_channel_of_others_is_not_hung_up(remote):
    await remote.hang_up()

    assert (await remote.register(REPORT)).generation == 7
