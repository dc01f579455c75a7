import math

import grpc
import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as pb

from control import registry
from control.api.channel import control_errors
from control.api.errors import (
    BadRequest,
    HostIdInUse,
    InvalidValue,
    LeaseLost,
    NotFound,
    OperationNotAllowed,
    PeerTooSlow,
    RateLimited,
)
from control.key_hashes import key_hash, principal_id
from tests.unit.control.requests import HEALTHY, heartbeat, registration, service
from tests.unit.control.serving import SECRET, serving, until

pytestmark = pytest.mark.anyio

NODE = (("x-geniehive-node-key", "nk"),)
ADMIN = (("authorization", "Bearer ak"),)


async def register(control, *args, **fields):
    with control_errors():
        return await control.registry.RegisterHost(registration(*args, **fields))


async def send(control, beat):
    with control_errors():
        return await control.registry.SendHeartbeat(pb.SendHeartbeatRequest(heartbeat=beat))


async def test_a_key_of_an_engine_is_refused_where_it_could_be_overheard(control):
    servicer = registry.RegistryServicer(control.cluster, "it is overheard; whisper")
    keyed = service("h1/s", api_key="canary")
    beat = pb.Heartbeat(services=[pb.ServiceBeat(service_id="h1/s", definition=keyed)])
    for call in (
        servicer.RegisterHost(registration("h1", keyed), None),
        servicer.SendHeartbeat(pb.SendHeartbeatRequest(heartbeat=beat), None),
    ):
        with pytest.raises(InvalidValue, match="'h1/s' has an API key") as raised:
            await call
        assert "whisper" in str(raised.value)
        assert "canary" not in str(raised.value)
    assert control.membership.members == {}


class Stream:
    """The node's end of a stream of heartbeats."""

    def __init__(self, control):
        self.call = control.registry.StreamHeartbeats()

    async def beat(self, beat):
        with control_errors():
            await self.call.write(pb.StreamHeartbeatsRequest(heartbeat=beat))
            return await self.call.read()


async def test_registering_grants_a_lease_and_a_pace(control):
    answer = await register(control)

    assert answer.lease == pb.Lease(host_id="h1", instance_id="i", generation=1)
    assert answer.pace.heartbeat_interval.ToSeconds() == 1
    assert answer.pace.lease_duration.ToSeconds() == 3
    assert answer.pace.reconnect_window.ToMilliseconds() <= 3_000


async def test_a_stream_of_beats_keeps_the_lease(control):
    lease = (await register(control)).lease
    stream = Stream(control)
    for sequence in range(1, 6):
        control.clock.now += 2.0
        control.membership.expire(control.clock.now)
        answer = await stream.beat(heartbeat(lease, sequence, "h1/s"))
        assert answer.sequence == sequence
        assert answer.pace.heartbeat_interval.ToSeconds() == 1

    assert control.membership.online == 1


async def test_a_unary_beat_keeps_it_too(control):
    lease = (await register(control)).lease
    control.clock.now += 2.0
    answer = await send(control, heartbeat(lease, 1, "h1/s"))

    assert answer.pace.heartbeat_interval.ToSeconds() == 1
    control.clock.now += 2.0
    assert control.membership.expire(control.clock.now) == ([], 0)


async def test_a_beat_before_registering_is_lease_lost(control):
    lease = pb.Lease(host_id="h1", instance_id="i", generation=1)
    with pytest.raises(LeaseLost, match="'h1'"):
        await send(control, heartbeat(lease, 1))
    with pytest.raises(LeaseLost) as raised:
        await Stream(control).beat(heartbeat(lease, 1))

    assert raised.value.__cause__.code() == grpc.StatusCode.NOT_FOUND


async def test_an_empty_beat_is_lease_lost(control):
    with pytest.raises(LeaseLost):
        await send(control, pb.Heartbeat())


async def test_a_second_live_instance_is_refused_until_the_first_ones_stream_ends(control):
    lease = (await register(control)).lease
    stream = Stream(control)
    await stream.beat(heartbeat(lease, 1, "h1/s"))
    with pytest.raises(HostIdInUse) as raised:
        await register(control, instance_id="other")
    assert raised.value.__cause__.code() == grpc.StatusCode.ALREADY_EXISTS
    stream.call.cancel()
    await until(lambda: control.membership.members["h1"].detached)

    assert (await register(control, instance_id="other")).lease.generation == 2


async def test_a_stream_whose_lease_was_taken_over_ends_with_lease_lost(control):
    lease = (await register(control)).lease
    stream = Stream(control)
    await stream.beat(heartbeat(lease, 1, "h1/s"))
    newer = (await register(control)).lease
    with pytest.raises(LeaseLost):
        await stream.beat(heartbeat(lease, 2, "h1/s"))

    await Stream(control).beat(heartbeat(newer, 1, "h1/s"))
    assert control.membership.members["h1"].streams == 1


async def test_a_node_is_asked_for_a_definition_and_told_why_one_is_refused(control):
    lease = (await register(control)).lease
    stream = Stream(control)
    answer = await stream.beat(heartbeat(lease, 1, "h1/s", "h1/new"))
    assert list(answer.wanted_service_ids) == ["h1/new"]
    beat = heartbeat(lease, 2, "h1/s", "h1/new")
    beat.services[1].definition.CopyFrom(service("h1/new", concurrency=-1))
    answer = await stream.beat(beat)

    assert "concurrency -1" in answer.refused_services["h1/new"]
    assert list(answer.wanted_service_ids) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
async def test_odd_observed_values_are_dropped_and_never_refused(control, value):
    seen = inventory.ServiceObservation(
        health=inventory.HEALTH_HEALTHY, tokens_per_second=value, queue_depth=-1, in_flight=2
    )
    seen.latency_p50.seconds = -5
    lease = (await register(control, "h1", service(observation=seen))).lease
    await Stream(control).beat(heartbeat(lease, 1, "h1/s", observation=seen))

    _, offer = control.membership.offer("h1/s")
    assert (offer.observation.in_flight, offer.observation.queue_depth) == (2, None)
    assert (offer.observation.tokens_per_second, offer.observation.latency_p50) == (None, None)
    assert control.membership.dropped_values == 6


@pytest.mark.parametrize(
    "services",
    [
        [service("")],
        [service("h2/s")],
        [service("h1/s"), service("h1/s")],
        [service(f"h1/{n}") for n in range(10_000)],
        [service("h1/s", "")],
    ],
    ids=["empty", "foreign", "duplicate", "10000", "nameless-asset"],
)
async def test_a_refused_definition_is_invalid_and_control_goes_on(control, services):
    with pytest.raises(InvalidValue) as raised:
        await register(control, "h1", *services)

    assert raised.value.__cause__.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert control.membership.members == {}
    await register(control)


async def test_an_empty_registration_is_invalid(control):
    with pytest.raises(InvalidValue, match="host_id"), control_errors():
        await control.registry.RegisterHost(pb.RegisterHostRequest())


async def test_random_bytes_are_a_bad_request_and_the_server_goes_on(control):
    raw = control.channel.unary_unary("/geniehive.v1.RegistryService/RegisterHost")
    for garbage in (b"\xff" * 100, b"\x0a\x05abc", bytes(range(256))):
        with pytest.raises(BadRequest), control_errors():
            await raw(garbage)

    await register(control)


async def test_5_mb_are_refused_before_they_are_read(control):
    raw = control.channel.unary_unary("/geniehive.v1.RegistryService/RegisterHost")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await raw(b"\x0a" * 5_000_000)

    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_node_removes_its_own_host(control):
    lease = (await register(control)).lease
    await control.registry.DeregisterHost(pb.DeregisterHostRequest(host_id="h1", lease=lease))

    assert control.membership.members == {}


async def test_a_host_that_is_not_registered_cannot_be_removed(control):
    with pytest.raises(NotFound), control_errors():
        await control.registry.DeregisterHost(pb.DeregisterHostRequest(host_id="h1"))


async def test_without_a_lease_only_an_administrator_removes_a_host(one_loop):
    request = pb.DeregisterHostRequest(host_id="h1")
    async with serving({"node": ["nk"], "gateway": ["g"], "admin": ["ak"]}) as control:
        await control.registry.RegisterHost(registration(), metadata=NODE)
        with pytest.raises(OperationNotAllowed), control_errors():
            await control.registry.DeregisterHost(request, metadata=NODE)
        await control.registry.DeregisterHost(request, metadata=ADMIN)

        assert control.membership.members == {}


async def test_a_stream_carries_the_beats_of_one_lease_only(control):
    leases = [(await register(control, host_id)).lease for host_id in ("h1", "h2")]
    stream = Stream(control)
    await stream.beat(heartbeat(leases[0], 1, "h1/s"))
    with pytest.raises(InvalidValue, match="one lease"):
        await stream.beat(heartbeat(leases[1], 1, "h2/s"))

    await until(lambda: control.membership.members["h1"].detached)
    assert control.membership.members["h2"].sequence == 0


async def test_a_beat_is_the_same_in_a_stream_and_alone(control):
    lease = (await register(control, "h1", service("h1/s", observation=HEALTHY))).lease
    await send(control, heartbeat(lease, 1, "h1/s"))
    await Stream(control).beat(heartbeat(lease, 2, "h1/s"))

    assert control.membership.members["h1"].sequence == 2


async def test_a_stream_that_never_says_whose_it_is_ends(control, monkeypatch):
    monkeypatch.setattr(registry, "FIRST_BEAT_S", 0.05)
    call = control.registry.StreamHeartbeats()
    with pytest.raises(PeerTooSlow, match="no heartbeat within"), control_errors():
        await call.read()


async def test_a_stream_ends_when_its_node_is_silent_for_longer_than_its_lease(
    control, monkeypatch
):
    monkeypatch.setattr(registry, "FIRST_BEAT_S", 0.5)
    monkeypatch.setattr(registry, "LEASES", 0.01)
    stream = Stream(control)
    await stream.beat(heartbeat((await register(control)).lease, 1, "h1/s"))
    with pytest.raises(PeerTooSlow), control_errors():
        await stream.call.read()

    assert control.membership.members["h1"].detached


async def test_one_node_that_beats_without_end_is_refused_and_others_are_not(control):
    lease, other = [(await register(control, host_id)).lease for host_id in ("h1", "h2")]
    stream, quiet = Stream(control), Stream(control)

    async def flood():
        for sequence in range(1, 1_001):
            await stream.beat(heartbeat(lease, sequence, "h1/s"))

    with pytest.raises(RateLimited) as raised:
        await flood()
    assert raised.value.__cause__.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    await quiet.beat(heartbeat(other, 1, "h2/s"))


async def test_one_lease_has_few_streams(control):
    lease = (await register(control)).lease
    streams = [Stream(control) for _ in range(5)]
    for sequence, stream in enumerate(streams[:4], start=1):
        await stream.beat(heartbeat(lease, sequence, "h1/s"))
    with pytest.raises(RateLimited, match="4 streams"):
        await streams[4].beat(heartbeat(lease, 5, "h1/s"))

    await streams[0].beat(heartbeat(lease, 6, "h1/s"))


async def test_a_host_is_listed_with_the_key_that_its_node_registered_with(one_loop):
    request = registration()
    request.host.node_key_id = "static:forged"
    async with serving({"node": ["nk"], "gateway": ["g"]}) as control:
        await control.registry.RegisterHost(request, metadata=NODE)

        key_id = principal_id(key_hash("nk", SECRET))
        assert control.membership.members["h1"].host.node_key_id == key_id


async def test_without_keys_a_host_has_the_key_of_nobody(control):
    request = registration()
    request.host.node_key_id = "static:forged"
    await control.registry.RegisterHost(request)

    assert control.membership.members["h1"].host.node_key_id == ""
