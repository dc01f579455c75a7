import asyncio

import grpc
import pytest
from geniehive.v1 import discovery_service_pb2 as discovery
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2
from geniehive.v1 import routing_service_pb2 as pb

from control import routing
from control.api.channel import MAX_RECEIVE_BYTES, control_errors
from control.api.errors import InvalidValue, PeerTooSlow
from control.key_hashes import key_hash
from control.publisher import COALESCE_S
from control.table.watch import MAX_PART
from control.table_messages import update_message
from tests.unit.control.requests import heartbeat, registration, service
from tests.unit.control.serving import SECRET, serving, until

pytestmark = pytest.mark.anyio

LOADING = inventory.ServiceObservation(health=inventory.HEALTH_LOADING)


class Gateway:
    """Follows one table as a gateway does."""

    def __init__(self, control, method="WatchRoutes", gateway_id="g1", **hello):
        self.request = getattr(pb, f"{method}Request")
        self.call = getattr(control.routing, method)()
        self.hello = pb.Watch(gateway_id=gateway_id, **hello)
        self.resources = {}

    async def say(self, **watch):
        await self.call.write(self.request(watch=pb.Watch(**watch)))

    async def open(self):
        await self.call.write(self.request(watch=self.hello))
        return await self.receive()

    async def receive(self):
        with control_errors():
            update = (await asyncio.wait_for(self.call.read(), 30)).update
        if update.snapshot:
            self.resources = {}
        self.resources.update({one.name: one for one in update.upserts})
        for name in update.tombstones:
            del self.resources[name]
        table_hash = 0
        for resource in self.resources.values():
            table_hash ^= resource.hash
        assert table_hash == update.table_hash
        return update

    async def next(self, **ack):
        await self.say(**ack)
        return await self.receive()


async def register(control, *args, **fields):
    lease = (await control.registry.RegisterHost(registration(*args, **fields))).lease
    await published()
    return lease


async def published():
    """Wait as long as control may hold back a change."""
    await asyncio.sleep(2 * COALESCE_S)


async def beat(control, lease, sequence, *service_ids, **fields):
    await control.registry.SendHeartbeat(
        registry_service_pb2.SendHeartbeatRequest(
            heartbeat=heartbeat(lease, sequence, *service_ids, **fields)
        )
    )
    await published()


async def test_a_registered_service_reaches_the_gateway(control):
    gateway = Gateway(control)
    first = await gateway.open()
    assert first.snapshot
    assert not first.settled
    await register(control, "h1", service("h1/s", "m", loaded=True, concurrency=2))
    update = await gateway.next()

    assert not update.snapshot
    assert update.base_version == first.identity.version
    assert gateway.resources["service/h1/s"].service == pb.RouteService(
        service_id="h1/s",
        host_id="h1",
        endpoint=service().endpoint,
        concurrency=2,
    )
    # Loaded is worth .35 of what counts .45; requests that wait cost a part of that.
    target = pb.Target(
        name="m",
        operation=inventory.OPERATION_CHAT,
        candidates=[
            pb.Candidate(service_id="h1/s", asset_id="m", score=0.1575, runtime=0.1575),
        ],
        strategy=pb.STRATEGY_LEAST_LOADED,
        queue_steps=[
            pb.QueueStep(queue_depth=2, penalty=0.045),
            pb.QueueStep(queue_depth=5, penalty=0.09),
        ],
    )
    assert gateway.resources["target/chat/m"].target == target


async def test_health_and_withdrawal_reach_the_gateway(control):
    lease = await register(control)
    gateway = Gateway(control)
    await gateway.open()
    await beat(control, lease, 1, "h1/s", observation=LOADING)
    await gateway.next()
    assert list(gateway.resources["target/chat/m"].target.candidates) == []
    await beat(control, lease, 2)
    update = await gateway.next()

    assert sorted(update.tombstones) == ["service/h1/s", "target/chat/h1/s", "target/chat/m"]
    assert gateway.resources == {}


async def test_a_gateway_that_comes_back_gets_only_what_it_missed(control):
    lease = await register(control)
    gateway = Gateway(control)
    held = (await gateway.open()).identity
    gateway.call.cancel()
    await beat(control, lease, 1, "h1/s", observation=LOADING)
    again = Gateway(control, held=held)
    again.resources = gateway.resources
    update = await again.open()

    assert not update.snapshot
    assert {one.name for one in update.upserts} == {"target/chat/m", "target/chat/h1/s"}


async def test_a_gateway_of_another_life_gets_a_snapshot(control):
    await register(control)
    held = pb.TableIdentity(store_id="store", incarnation="before", version=1)

    assert (await Gateway(control, held=held).open()).snapshot


async def test_a_gateway_can_ask_for_a_snapshot_at_any_time(control):
    gateway = Gateway(control)
    await gateway.open()
    update = await gateway.next(snapshot_wanted=True)

    assert update.snapshot


async def test_an_update_is_encoded_once_for_all_gateways_that_hold_the_same(control):
    await register(control)
    update_message.cache_clear()
    for name in ("g1", "g2", "g3"):
        await Gateway(control, gateway_id=name).open()

    assert update_message.cache_info()[:2] == (2, 1)


async def test_an_unusable_resource_is_logged_and_the_rest_goes_on(control, caplog):
    gateway = Gateway(control)
    await gateway.open()
    await register(control)
    await gateway.next()
    await register(control, "h2", service("h2/s", "n"))
    await gateway.next(unusable={"service/h1/s": "cannot resolve"})

    assert "cannot use 'service/h1/s': cannot resolve" in caplog.text
    assert "target/chat/n" in gateway.resources
    health = await control.discovery.GetClusterHealth(discovery.GetClusterHealthRequest())
    assert health.unusable_resources == {"service/h1/s": "cannot resolve"}


async def test_a_watcher_that_says_nothing_gets_nothing_more(control):
    """One update is on its way at a time, so a slow gateway gets only the latest."""
    gateway = Gateway(control)
    await gateway.open()
    lease = await register(control)
    await gateway.next()
    for sequence in range(1, 20):
        health = [None, LOADING][sequence % 2]
        await beat(control, lease, sequence, "h1/s", **({"observation": health} if health else {}))
    for n in range(2, 5):
        await register(control, f"h{n}")
    update = await gateway.next()

    assert {f"service/h{n}/s" for n in range(2, 5)} <= {one.name for one in update.upserts}
    assert len(gateway.resources["target/chat/m"].target.candidates) == 3


async def test_a_large_snapshot_arrives_whole(control):
    services = [service(f"h1/{n}", f"model-{n}") for n in range(500)]
    await control.registry.RegisterHost(registration("h1", *services))
    await until(lambda: len(control.routes.table) == 1_500)
    update = await Gateway(control).open()

    assert update.snapshot
    assert len(update.upserts) == 1_500


async def test_a_snapshot_larger_than_any_message_arrives_in_parts(control):
    """One registration of 2 MB makes a table of more than 16."""
    large = service("h1/" + "s" * 190, *(f"{n:06}".ljust(200, "x") for n in range(9_900)))
    for asset in large.assets:
        asset.operations.extend([inventory.OPERATION_EMBEDDINGS, inventory.OPERATION_TRANSCRIPTION])
    await control.registry.RegisterHost(registration("h1", large))
    await until(lambda: len(control.routes.table) == 1 + 3 * (9_900 + 1))
    gateway = Gateway(control)
    updates = [await gateway.open()]
    while updates[-1].identity.version < control.routes.identity.version:
        updates.append(await gateway.next())

    assert gateway.resources.keys() == control.routes.table.keys()
    assert sum(update.ByteSize() for update in updates) > MAX_RECEIVE_BYTES
    assert all(update.ByteSize() <= MAX_PART for update in updates)


async def test_keys_are_a_table_of_their_own_and_always_settled(one_loop):
    async with serving(client_keys=["sk-a", "sk-b"]) as control:
        gateway = Gateway(control, "WatchKeys")
        update = await gateway.open()

        assert update.settled
        assert gateway.resources["settings"].settings == pb.KeySettings(
            required=True, hash_secret=SECRET
        )
        keys = [one.key for one in gateway.resources.values() if one.HasField("key")]
        assert {key.key_hash for key in keys} == {key_hash(k, SECRET) for k in ("sk-a", "sk-b")}
        assert all(len(key.principal_id) == len("static:") + 8 for key in keys)


@pytest.mark.parametrize("gateway_id", ["", "x" * 201, "a\nb"])
async def test_a_watcher_without_a_plain_name_is_refused(control, gateway_id):
    with pytest.raises(InvalidValue, match="gateway_id"):
        await Gateway(control, gateway_id=gateway_id).open()


async def test_a_watcher_that_answers_nothing_is_not_served_any_more(control, monkeypatch):
    monkeypatch.setattr(routing, "ACKNOWLEDGE_S", 0.05)
    monkeypatch.setattr(routing, "LOOK_S", 0.02)
    gateway = Gateway(control)
    await gateway.open()
    with pytest.raises(PeerTooSlow, match="an update was not answered"), control_errors():
        await gateway.call.read()

    assert not control.routes.watchers


async def test_a_watcher_that_has_nothing_to_answer_is_waited_for(control, monkeypatch):
    monkeypatch.setattr(routing, "ACKNOWLEDGE_S", 0.01)
    monkeypatch.setattr(routing, "LOOK_S", 0.005)
    gateway = Gateway(control)
    await gateway.open()
    await gateway.say()
    await asyncio.sleep(0.1)
    await register(control, "h1", service("h1/s", "m"))

    assert (await asyncio.wait_for(gateway.call.read(), 30)).update.upserts


async def test_a_gateway_counts_while_it_watches(control):
    gateway = Gateway(control)
    await gateway.open()
    assert len(control.routes.watchers) == 1
    gateway.call.cancel()

    await until(lambda: not control.routes.watchers)


async def test_a_watcher_that_says_it_is_done_is_done(control):
    gateway = Gateway(control)
    await gateway.open()
    await gateway.call.done_writing()

    assert await gateway.call.read() is grpc.aio.EOF
    assert not control.routes.watchers


class Load:
    """A gateway that tells its load."""

    def __init__(self, control, gateway_id):
        self.gateway_id = gateway_id
        self.call = control.routing.ExchangeLoad()

    async def tell(self, **loads):
        told = [pb.ServiceLoad(service_id=f"h1/{k}", in_flight=v) for k, v in loads.items()]
        await self.say(told)
        return await self.hear()

    async def eject(self, *ejections):
        """ejections: services, each with for how many seconds still, and why."""
        await self.say([kept_out(*one) for one in ejections])
        return {one.service_id: one.ejection for one in await self.answer()}

    async def say(self, loads):
        await self.call.write(pb.ExchangeLoadRequest(gateway_id=self.gateway_id, loads=loads))

    async def answer(self):
        with control_errors():
            return (await asyncio.wait_for(self.call.read(), 30)).loads

    async def hear(self):
        return {one.service_id: (one.in_flight, one.queue_depth) for one in await self.answer()}


def kept_out(service_id, seconds, reason):
    load = pb.ServiceLoad(service_id=service_id, ejection=pb.Ejection(reason=reason))
    load.ejection.remaining.seconds = seconds
    return load


async def test_gateways_hear_of_each_others_load_until_a_stream_ends(control):
    one, two = Load(control, "g1"), Load(control, "g2")

    assert await one.tell(s=3) == {}
    assert await two.tell(s=1, t=2) == {"h1/s": (3, 0)}
    assert await one.hear() == {"h1/s": (1, 0), "h1/t": (2, 0)}
    two.call.cancel()
    assert await one.hear() == {}
    assert control.loads.in_flight == 3


async def test_gateways_hear_what_waits_inside_engines(control):
    seen = inventory.ServiceObservation(health=inventory.HEALTH_HEALTHY, queue_depth=4)
    await register(control, "h1", service("h1/s", observation=seen))

    assert await Load(control, "g1").tell() == {"h1/s": (0, 4)}


async def test_gateways_hear_what_waits_in_others_and_what_those_have_sent_to_be_read(control):
    await register(control, "h1", service("h1/s"))
    one, two = Load(control, "g1"), Load(control, "g2")
    busy = pb.ServiceLoad(service_id="h1/s", waiting=3)
    busy.pending_prefill.FromMilliseconds(1_500)

    await one.say([busy])
    assert not await one.answer()
    await two.say([])
    (heard,) = await two.answer()
    assert (heard.waiting, heard.pending_prefill.ToMilliseconds()) == (3, 1_500)
    health = await control.discovery.GetClusterHealth(discovery.GetClusterHealthRequest())
    assert health.waiting == 3
    asked = discovery.GetServiceRequest(service_id="h1/s")
    assert (await control.discovery.GetService(asked)).service.waiting == 3
    one.call.cancel()
    assert not await two.answer()


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(-5, 0), (2**63 - 1, 0), (-(2**63), 0), (0, 2**31 - 1)]
)
async def test_absurd_times_to_read_harm_nobody(control, seconds, nanos):
    one, two = Load(control, "g1"), Load(control, "g2")
    busy = pb.ServiceLoad(service_id="h1/s", waiting=-7)
    busy.pending_prefill.seconds, busy.pending_prefill.nanos = seconds, nanos

    await one.say([busy])
    await one.answer()
    await two.say([])
    heard = [load.pending_prefill.ToMilliseconds() for load in await two.answer()]
    assert not heard or 0 < heard[0] <= 2**31


def learned(asset_id="m", prefill=800.0, samples=10, **values):
    return inventory.LearnedRates(
        service_id="h1/s",
        asset_id=asset_id,
        prefill_tokens_per_second=prefill,
        sample_count=samples,
        **values,
    )


class Learning(Load):
    """A gateway that tells what it measured of speeds."""

    async def learn(self, *rates):
        await self.call.write(pb.ExchangeLoadRequest(gateway_id=self.gateway_id, rates=rates))
        return await self.heard()

    async def heard(self):
        answer = await asyncio.wait_for(self.call.read(), 30)
        return {one.asset_id: one.prefill_tokens_per_second for one in answer.rates}


async def test_gateways_start_with_what_all_others_measured_and_hear_of_changes_alone(control):
    await register(control, "h1", service("h1/s"))
    one, two = Learning(control, "g1"), Learning(control, "g2")

    assert await one.learn(learned()) == {"m": 800.0}
    assert await two.learn() == {"m": 800.0}
    assert await two.learn(learned(prefill=805.0)) == {}
    assert await two.learn(learned(prefill=1_200.0, samples=30)) == {"m": 1_100.0}
    assert await one.heard() == {"m": 1_100.0}
    one.call.cancel()
    two.call.cancel()
    await until(lambda: not control.loads.silence())
    assert await Learning(control, "g1").learn() == {"m": 1_100.0}


async def test_people_see_what_gateways_measured_of_a_service(control):
    await register(control, "h1", service("h1/s", "m"))
    await Learning(control, "g1").learn(learned(slots=4), learned("deleted"))

    asked = discovery.GetServiceRequest(service_id="h1/s")
    (found,) = (await control.discovery.GetService(asked)).service.learned
    assert found == learned(slots=4)


async def test_of_what_is_learned_what_is_absurd_is_left_out(control):
    await register(control, "h1", service("h1/s"))
    gateway = Learning(control, "g1")

    assert await gateway.learn(
        learned("zero", 0.0),
        learned("nan", float("nan")),
        learned("much", 1e12),
        learned("less", -1.0),
        learned("unsampled", samples=0),
        learned("", 5.0),
        learned("one", 700.0, answer_tokens=float("inf"), slots=10**6),
    ) == {"one": 700.0}


async def test_a_nameless_gateway_tells_no_load(control):
    with pytest.raises(InvalidValue, match="gateway_id"):
        await Load(control, "").tell(s=1)


async def ejection(control, service_id="h1/s"):
    """Return what people are told that gateways keep out."""
    asked = discovery.GetServiceRequest(service_id=service_id)
    found = (await control.discovery.GetService(asked)).service
    return found.ejection if found.HasField("ejection") else None


async def test_gateways_and_people_hear_what_is_kept_out_until_it_is_not(control):
    await register(control, "h1", service("h1/s"), service("h1/t"))
    one, two, three = (Load(control, name) for name in ("g1", "g2", "g3"))

    assert await one.eject(("h1/s", 8, "5 timeouts")) == {}
    heard = await two.eject(("h1/s", 3, "5 answers 503"))
    assert (heard["h1/s"].reason, heard["h1/s"].gateway_count) == ("5 timeouts", 1)
    assert 0 < heard["h1/s"].remaining.ToSeconds() <= 8
    heard = await three.eject()
    assert (heard["h1/s"].reason, heard["h1/s"].gateway_count) == ("5 timeouts", 2)
    assert (await ejection(control)).gateway_count == 2
    await one.eject()
    assert (await ejection(control)).reason == "5 answers 503"
    two.call.cancel()
    await until(lambda: not control.loads.ejections.all())
    assert await ejection(control) is None
    assert await three.eject() == {}


async def test_what_waits_to_be_tried_is_told_and_does_not_count_as_kept_out(control):
    await register(control)
    await Load(control, "g1").eject(("h1/s", 0, "5 timeouts"))

    assert (await ejection(control)).reason == "5 timeouts"
    health = await control.discovery.GetClusterHealth(discovery.GetClusterHealthRequest())
    assert health.ejected_count == 0


async def test_what_is_kept_out_changes_neither_routes_nor_health(control):
    await register(control, "h1", service("h1/s", "m"))
    gateway = Gateway(control)
    await gateway.open()
    before = control.routes.identity
    await Load(control, "g1").eject(("h1/s", 8, "5 timeouts"))
    await published()

    asked = discovery.GetServiceRequest(service_id="h1/s")
    found = (await control.discovery.GetService(asked)).service
    assert (found.routable, found.health) == (True, inventory.HEALTH_HEALTHY)
    assert control.routes.identity == before
    health = await control.discovery.GetClusterHealth(discovery.GetClusterHealthRequest())
    counts = (health.ejected_count, health.routable_service_count, health.held_back_count)
    assert counts == (1, 1, 0)
    route = await control.routing.ResolveRoute(pb.ResolveRouteRequest(model="m", explain=True))
    (explained,) = route.explanations
    assert (explained.chosen, explained.ejection.reason) == (True, "5 timeouts")


@pytest.mark.parametrize(
    ("seconds", "nanos", "told"),
    [(-5, 0, 0), (10**9, 0, 3_600), (2**63 - 1, 0, 3_600), (-(2**63), 0, 0), (0, -(2**31), 0)],
)
async def test_no_ejection_is_told_for_longer_than_an_hour_or_less_than_nothing(
    control, seconds, nanos, told
):
    await register(control)
    odd = kept_out("h1/s", seconds, "odd")
    odd.ejection.remaining.nanos = nanos
    gateway = Load(control, "g1")
    await gateway.say([odd])
    await gateway.answer()

    assert told - 1 <= (await ejection(control)).remaining.ToSeconds() <= told


async def test_a_reason_is_cut_and_cannot_harm_a_terminal(control):
    await register(control)
    await Load(control, "g1").eject(("h1/s", 8, "\x1b[2Jevil\n" * 100_000))

    reason = (await ejection(control)).reason
    assert len(reason) == 100
    assert reason.startswith(" [2Jevil  [2J")


async def test_services_that_nobody_registered_cannot_be_kept_out(control):
    await register(control)
    strangers = [(f"h2/{number}", 8, "5 timeouts") for number in range(20_000)]
    heard = await Load(control, "g1").eject(*strangers, ("h1/s", 8, "after too many"))

    assert heard == {}
    assert await ejection(control) is None
    assert await Load(control, "g2").eject() == {}
