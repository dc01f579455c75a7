import asyncio

import grpc
import pytest
from geniehive.v1 import admin_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2 as discovery_pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as registry_pb
from geniehive.v1 import routing_service_pb2 as routing_pb

from control.api.channel import control_errors
from control.api.errors import (
    Forbidden,
    InvalidValue,
    NotFound,
    StorageUnavailable,
    Unauthenticated,
)
from control.inventory import Operation
from control.key_hashes import key_hash, principal_id
from control.ranking.offering import Rules
from control.ranking.roles import Role
from control.store import drains
from tests.unit.control.requests import CHAT, heartbeat, registration, service
from tests.unit.control.serving import SECRET, serving, until

pytestmark = pytest.mark.anyio

ADMIN = (("authorization", "Bearer ak"),)


@pytest.fixture
async def control(one_loop, store):
    async with serving(writer=store.writer) as running:
        await running.registry.RegisterHost(
            registration("h1", service("h1/a"), service("h1/b", "other"))
        )
        yield running


async def drain(control, name, **how):
    with control_errors():
        return await control.admin.DrainServices(pb.DrainServicesRequest(name=name), **how)


async def undrain(control, name, **how):
    with control_errors():
        return await control.admin.UndrainServices(pb.UndrainServicesRequest(name=name), **how)


async def routable(control):
    """Return the services that requests go to, and those that are called drained."""
    answer = await control.discovery.ListServices(discovery_pb.ListServicesRequest())
    return (
        {one.service.service_id for one in answer.services if one.routable},
        {one.service.service_id for one in answer.services if one.drained},
    )


async def kept(store):
    return [one.name for one in await store.writer.run(drains.load)]


async def test_a_drained_host_gets_nothing_new_and_is_kept_so(control, store):
    control.loads.tell("gateway", {"h1/a": 2, "h1/b": 1, "h2/x": 5})
    done = await drain(control, "h1")
    assert list(done.service_ids) == ["h1/a", "h1/b"]
    assert (done.in_flight, done.changed) == (3, True)
    assert await routable(control) == (set(), {"h1/a", "h1/b"})
    host = await control.discovery.GetHost(discovery_pb.GetHostRequest(host_id="h1"))
    assert host.host.drained
    assert await kept(store) == ["h1"]


async def test_a_service_is_drained_alone(control):
    done = await drain(control, "h1/a")
    assert list(done.service_ids) == ["h1/a"]
    assert await routable(control) == ({"h1/b"}, {"h1/a"})
    host = await control.discovery.GetHost(discovery_pb.GetHostRequest(host_id="h1"))
    assert not host.host.drained


async def test_gateways_are_told_at_once(control):
    await until(lambda: control.compiler.targets["chat"].get("m"))
    await drain(control, "h1/a")
    await until(lambda: not control.compiler.targets["chat"]["m"])
    await undrain(control, "h1/a")
    await until(lambda: control.compiler.targets["chat"]["m"])


async def test_again_is_no_failure_and_changes_nothing(control, store):
    assert (await drain(control, "h1")).changed
    assert not (await drain(control, "h1")).changed
    assert (await undrain(control, "h1")).changed
    again = await undrain(control, "h1")
    assert not again.changed
    assert list(again.service_ids) == ["h1/a", "h1/b"]
    assert await kept(store) == []


async def test_what_is_drained_by_two_names_is_undrained_by_both(control):
    await drain(control, "h1")
    await drain(control, "h1/a")
    done = await undrain(control, "h1")
    assert list(done.service_ids) == ["h1/b"]
    assert list(done.still_drained) == ["h1/a"]
    assert await routable(control) == ({"h1/b"}, {"h1/a"})

    await drain(control, "h1")
    done = await undrain(control, "h1/a")
    assert list(done.service_ids) == []
    assert list(done.still_drained) == ["h1/a"]
    await undrain(control, "h1")
    assert await routable(control) == ({"h1/a", "h1/b"}, set())


@pytest.mark.parametrize("name", ["h2", "h1/x", "", "a" * 5_000, "h1/a\n", "\x00", "h1/"])
async def test_what_nobody_registered_is_not_found(control, store, name):
    for change in (drain, undrain):
        with pytest.raises(NotFound, match="no host or service") as raised:
            await change(control, name)
        assert len(str(raised.value)) < 300
    assert await kept(store) == []


@pytest.mark.parametrize(("name", "noun"), [("m", "model"), ("mentor", "role")])
async def test_a_role_or_a_model_is_refused_in_words(control, name, noun):
    control.cluster.rule(Rules({"mentor": Role("mentor", Operation.CHAT)}))
    await until(lambda: control.compiler.targets["chat"].get("m"))
    for change in (drain, undrain):
        with pytest.raises(InvalidValue, match=f"is a {noun}; what is drained is a host"):
            await change(control, name)


async def test_a_host_that_left_is_listed_can_be_drained_again_and_undrained(control):
    await drain(control, "h1")
    await control.registry.DeregisterHost(registry_pb.DeregisterHostRequest(host_id="h1"))
    health = await control.discovery.GetClusterHealth(discovery_pb.GetClusterHealthRequest())
    (one,) = health.drains
    assert (one.name, one.principal_id) == ("h1", "anyone")
    assert one.start_time.ToSeconds() == control.clock.wall_time(control.clock())

    again = await drain(control, "h1")
    assert (list(again.service_ids), again.changed) == ([], False)
    done = await undrain(control, "h1")
    assert (list(done.service_ids), done.changed) == ([], True)
    with pytest.raises(NotFound):
        await undrain(control, "h1")


async def test_a_host_that_comes_back_as_another_process_is_still_drained(control):
    await drain(control, "h1")
    await control.registry.DeregisterHost(registry_pb.DeregisterHostRequest(host_id="h1"))
    await control.registry.RegisterHost(
        registration("h1", service("h1/a"), service("h1/new"), instance_id="another")
    )
    assert await routable(control) == (set(), {"h1/a", "h1/new"})


async def test_an_explanation_names_the_gate_and_the_name_it_is_drained_as(control):
    await drain(control, "h1")
    await drain(control, "h1/a")
    request = routing_pb.ResolveRouteRequest(model="m", operation=CHAT, explain=True)
    answer = await control.routing.ResolveRoute(request)
    gates = {gate.name: gate for gate in answer.explanations[0].gates}
    assert not gates["drained"].passed
    assert gates["drained"].detail == "as h1 and h1/a"
    assert gates["availability"].passed

    await undrain(control, "h1")
    await undrain(control, "h1/a")
    answer = await control.routing.ResolveRoute(request)
    assert "drained" not in {gate.name for gate in answer.explanations[0].gates}


async def test_what_the_disk_does_not_take_changes_nothing(control, store, monkeypatch):
    def fails(*_):
        raise StorageUnavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(drains, "add", fails)
        with pytest.raises(StorageUnavailable, match="disk is full"):
            await drain(control, "h1")
    assert await routable(control) == ({"h1/a", "h1/b"}, set())
    assert await kept(store) == []

    await drain(control, "h1")
    with monkeypatch.context() as broken:
        broken.setattr(drains, "remove", fails)
        with pytest.raises(StorageUnavailable):
            await undrain(control, "h1")
    assert await routable(control) == (set(), {"h1/a", "h1/b"})
    assert await kept(store) == ["h1"]


async def test_a_caller_that_leaves_while_the_disk_works_changes_both_or_neither(control, store):
    for change in (drain, undrain) * 10:
        call = asyncio.create_task(change(control, "h1"))
        await asyncio.sleep(0.001)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    await undrain(control, "h1")  # the last in line, so all before it are done
    assert await kept(store) == []
    assert await routable(control) == ({"h1/a", "h1/b"}, set())


async def test_there_is_a_bound_on_what_can_be_drained(control, monkeypatch):
    monkeypatch.setattr("control.draining.MAX_DRAINS", 1)
    await drain(control, "h1/a")
    with pytest.raises(InvalidValue, match="undrain some"):
        await drain(control, "h1/b")
    assert not (await drain(control, "h1/a")).changed


async def test_only_administrators_drain_and_are_named(one_loop, store):
    keys = {"operator": ["ok"], "admin": ["ak"]}
    async with serving(keys, writer=store.writer) as control:
        await control.registry.RegisterHost(registration("h1"))
        for change in (drain, undrain):
            with pytest.raises(Unauthenticated, match="GENIEHIVE_ADMIN_KEY"):
                await change(control, "h1")
            with pytest.raises(Forbidden):
                await change(control, "h1", metadata=(("authorization", "Bearer ok"),))
            await change(control, "h1", metadata=ADMIN)
        await drain(control, "h1", metadata=ADMIN)
    (found,) = await store.writer.run(drains.load)
    assert found.by == principal_id(key_hash("ak", SECRET))


async def test_a_request_that_is_no_message_is_refused(control):
    raw = control.channel.unary_unary("/geniehive.v1.AdminService/DrainServices")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await raw(b"\xff\xff\xff")
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_node_that_beats_is_told_what_is_in_flight_at_its_services(control):
    answer = await control.registry.RegisterHost(registration("h2", service("h2/a")))
    control.loads.tell("one", {"h2/a": 2, "h1/a": 7})
    control.loads.tell("two", {"h2/a": 1})
    beat = heartbeat(answer.lease, 1, "h2/a", observation=inventory.ServiceObservation())
    request = registry_pb.SendHeartbeatRequest(heartbeat=beat)
    assert (await control.registry.SendHeartbeat(request)).in_flight == 3

    call = control.registry.StreamHeartbeats()
    beat.sequence = 2
    await call.write(registry_pb.StreamHeartbeatsRequest(heartbeat=beat))
    assert (await call.read()).in_flight == 3
    call.cancel()


async def test_a_host_that_leaves_is_told_of_one_request_while_a_gateway_may_have_begun_some(
    control,
):
    answer = await control.registry.RegisterHost(registration("h2", service("h2/a")))
    control.loads.tell("gateway", {})
    leaving = inventory.ServiceObservation(availability=inventory.AVAILABILITY_DRAINING)

    async def in_flight(sequence, observation):
        beat = heartbeat(answer.lease, sequence, "h2/a", observation=observation)
        request = registry_pb.SendHeartbeatRequest(heartbeat=beat)
        return (await control.registry.SendHeartbeat(request)).in_flight

    assert await in_flight(1, inventory.ServiceObservation()) == 0
    assert await in_flight(2, leaving) == 1
    control.clock.now += 60.0  # the gateway has told a moment ago, by its own clock
    assert await in_flight(3, leaving) == 0
    assert await in_flight(4, inventory.ServiceObservation()) == 0
    assert await in_flight(5, leaving) == 1
    control.loads.forget("gateway")
    assert await in_flight(6, leaving) == 0
