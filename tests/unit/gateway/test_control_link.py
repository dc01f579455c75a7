"""What a gateway says to control, and what it does with what control says."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc
import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb
from geniehive.v1 import routing_service_pb2_grpc as pb_grpc

from control.api.channel import aio_channel
from gateway import control_link
from gateway.breaker import Ejected
from gateway.config import Config
from gateway.control_link import ControlLink
from gateway.gateway import Gateway
from gateway.load import Elsewhere
from gateway.reasoning import Usage
from gateway.resources import read_resource
from tests.unit.gateway.pushed import follow_all

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def retry_soon(monkeypatch, one_loop):
    monkeypatch.setattr(control_link, "RETRY_SECONDS", (0.01, 0.02))


class ScriptedControl(pb_grpc.RoutingServiceServicer):
    """Sends the updates that a test puts in, and keeps what the gateway answers."""

    def __init__(self):
        self.updates = asyncio.Queue()
        self.watches = asyncio.Queue()
        self.loads = asyncio.Queue()
        self.metadata = {}
        self.unasked = 0  # messages about load that answer nothing, after each answer
        self.load_interval_ms = 10
        self.rates = []
        self.mute = False  # whether messages about load are answered no more
        self.ends = asyncio.Event()  # set: the next message about load ends its stream
        self.kept_out = False  # whether others keep out the service whose load is told

    async def WatchRoutes(self, request_iterator, context):
        self.metadata = dict(context.invocation_metadata())

        async def listen():
            async for request in request_iterator:
                await self.watches.put(request.watch)

        listening = asyncio.create_task(listen())
        try:
            while (update := await self.updates.get()) is not None:
                yield pb.WatchRoutesResponse(update=update)
        finally:
            listening.cancel()

    async def WatchKeys(self, request_iterator, context):
        async for _ in request_iterator:
            settings = pb.Resource(name="settings", settings=pb.KeySettings())
            identity = pb.TableIdentity(store_id="s", incarnation="i", version=1)
            yield pb.WatchKeysResponse(
                update=pb.TableUpdate(
                    identity=identity, snapshot=True, settled=True, upserts=[settings]
                )
            )
            await asyncio.Event().wait()

    async def ExchangeLoad(self, request_iterator, context):
        async for request in request_iterator:
            await self.loads.put(request)
            if self.ends.is_set():
                self.ends.clear()
                return
            if self.mute:
                continue
            for more in range(1 + self.unasked):
                load = pb.ServiceLoad(service_id="h/a", in_flight=4 + more, queue_depth=3)
                if self.kept_out:
                    load.ejection.reason = "odd"
                response = pb.ExchangeLoadResponse(loads=[load], rates=self.rates)
                response.interval.FromMilliseconds(self.load_interval_ms)
                yield response


@asynccontextmanager
async def linked(key: str | None = None) -> AsyncIterator[tuple[ScriptedControl, Gateway]]:
    control, gateway = ScriptedControl(), Gateway(Config())
    server = grpc.aio.server()
    pb_grpc.add_RoutingServiceServicer_to_server(control, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio_channel(f"127.0.0.1:{port}") as channel:
        link = asyncio.create_task(ControlLink(gateway, channel, "g1", key).run())
        try:
            async with asyncio.timeout(20):
                yield control, gateway
        finally:
            link.cancel()
            with suppress(asyncio.CancelledError):
                await link
    await server.stop(None)


def service(name, address="127.0.0.1:80"):
    endpoint = inventory.Endpoint(
        scheme="http", address=address, kind=inventory.ENDPOINT_KIND_DIRECT
    )
    return pb.Resource(
        name=f"service/{name}", service=pb.RouteService(service_id=name, endpoint=endpoint)
    )


def snapshot(*resources, version=1, **fields):
    identity = pb.TableIdentity(store_id="s", incarnation="i", version=version)
    return pb.TableUpdate(
        identity=identity, snapshot=True, settled=True, upserts=resources, **fields
    )


async def test_an_update_is_applied_and_acknowledged():
    async with linked(key="gateway-key") as (control, gateway):
        hello = await control.watches.get()
        await control.updates.put(snapshot(service("h/a")))
        ack = await control.watches.get()

        assert (hello.gateway_id, hello.HasField("held")) == ("g1", False)
        assert (ack.held.version, dict(ack.unusable), ack.snapshot_wanted) == (1, {}, False)
        assert set(gateway.routes.upstreams) == {"h/a"}
        assert gateway.control_connected
        assert control.metadata["x-geniehive-gateway-key"] == "gateway-key"


async def test_what_cannot_be_used_is_named_and_the_rest_applied():
    async with linked() as (control, gateway):
        await control.watches.get()
        await control.updates.put(snapshot(service("h/a"), service("h/b", "no address")))
        ack = await control.watches.get()

        assert dict(ack.unusable) == {"service/h/b": "address 'no address' is not host:port"}
        assert ack.held.version == 1
        assert set(gateway.routes.upstreams) == {"h/a"}


async def test_a_wrong_hash_or_a_gap_asks_for_a_snapshot():
    async with linked() as (control, gateway):
        await control.watches.get()
        await control.updates.put(snapshot(service("h/a")))
        await control.watches.get()
        gap = snapshot(service("h/b"), version=9)
        gap.snapshot = False
        gap.base_version = 8
        await control.updates.put(gap)
        answer = await control.watches.get()
        await control.updates.put(snapshot(service("h/b"), version=9))
        ack = await control.watches.get()

        assert (answer.snapshot_wanted, ack.snapshot_wanted) == (True, False)
        assert set(gateway.routes.upstreams) == {"h/b"}


async def test_a_snapshot_that_is_wrong_again_ends_the_stream_and_keeps_the_table():
    async with linked() as (control, gateway):
        await control.watches.get()
        await control.updates.put(snapshot(service("h/a")))
        await control.watches.get()
        for _ in range(2):
            await control.updates.put(snapshot(service("h/b"), version=2, table_hash=1))
        assert (await control.watches.get()).snapshot_wanted
        hello = await control.watches.get()

        assert (hello.held.version, hello.snapshot_wanted) == (1, False)
        assert set(gateway.routes.upstreams) == {"h/a"}


async def test_a_stream_that_ended_is_opened_again_with_what_is_held():
    async with linked() as (control, gateway):
        await control.watches.get()
        await control.updates.put(snapshot(service("h/a"), version=5))
        await control.watches.get()
        await control.updates.put(None)
        hello = await control.watches.get()

        assert (hello.held.store_id, hello.held.incarnation, hello.held.version) == ("s", "i", 5)
        assert set(gateway.routes.upstreams) == {"h/a"}


async def test_a_bug_in_one_life_of_a_stream_does_not_end_the_link(monkeypatch):
    async with linked() as (control, gateway):
        await control.watches.get()
        with monkeypatch.context() as broken:
            broken.setattr(gateway.routes, "follow", lambda *_: 1 / 0)
            await control.updates.put(snapshot(service("h/a")))
            await control.watches.get()
        await control.updates.put(snapshot(service("h/a"), version=2))
        await control.watches.get()

        assert set(gateway.routes.upstreams) == {"h/a"}


async def test_load_goes_both_ways():
    async with linked() as (control, gateway):
        await control.watches.get()
        await control.updates.put(snapshot(service("h/a")))
        await control.watches.get()
        gateway.routes.upstreams["h/a"].in_flight = 2
        told = []
        while not told:
            told = (await control.loads.get()).loads
        while not gateway.routes.upstreams["h/a"].elsewhere:
            await control.loads.get()

        assert [(one.service_id, one.in_flight) for one in told] == [("h/a", 2)]
        assert gateway.routes.upstreams["h/a"].elsewhere == 7


async def test_what_is_learned_goes_both_ways_and_anew_when_control_may_have_forgotten_it():
    async with linked() as (control, gateway):
        await control.watches.get()
        await control.updates.put(snapshot(service("h/a")))
        await control.watches.get()
        rates = gateway.learned.rates("h/a", "m")
        control.rates = [
            inventory.LearnedRates(
                service_id="h/a", asset_id="m", prefill_tokens_per_second=900.0, sample_count=9
            )
        ]
        while rates.prefill != 900.0:
            await control.loads.get()
        control.rates = []
        for _ in range(3):
            usage = Usage(prompt_tokens=100, completion_tokens=50)
            rates.answered(400, 1, 0.1, 1.1, usage, None, 50, streamed=True, now=1.0)

        async def told():
            while not (found := (await control.loads.get()).rates):
                pass
            return found

        (first,) = await told()
        assert (first.service_id, first.asset_id, first.sample_count) == ("h/a", "m", 3)
        assert first.slots == gateway.routes.upstreams["h/a"].capacity.slots
        assert not (await control.loads.get()).rates
        control.ends.set()
        assert list(await told()) == [first]


async def test_what_is_kept_out_goes_up_with_its_reason(monkeypatch):
    async with linked() as (control, gateway):
        kept_out = {"h/a": Ejected(8.0, "5 timeouts")}
        monkeypatch.setattr(gateway.rotation, "ejections", lambda _: kept_out)
        told = []
        while not told:
            told = (await control.loads.get()).loads

        assert [(one.service_id, one.in_flight) for one in told] == [("h/a", 0)]
        assert told[0].ejection.reason == "5 timeouts"
        assert told[0].ejection.remaining.ToSeconds() == 8


async def test_what_others_keep_out_is_a_hint_until_control_is_away():
    breaker = HintedBreaker()
    async with linked() as (control, gateway):
        await control.watches.get()
        await control.updates.put(snapshot(service("h/a")))
        await control.watches.get()
        gateway.routes.upstreams["h/a"].breaker = breaker
        control.kept_out = True
        await breaker.hinted.wait()
    assert not breaker.hinted.is_set()


class HintedBreaker:
    """Remembers its last hint."""

    def __init__(self):
        self.hinted = asyncio.Event()

    def hint(self, *, ejected):
        if ejected:
            self.hinted.set()
        else:
            self.hinted.clear()


async def test_what_control_tells_unasked_is_not_left_lying():
    async with linked() as (control, gateway):
        await control.watches.get()
        await control.updates.put(snapshot(service("h/a")))
        await control.watches.get()
        control.unasked, control.load_interval_ms = 5, 3_600_000
        while gateway.routes.upstreams["h/a"].elsewhere < 12:  # noqa: ASYNC110  # it sends no events
            await asyncio.sleep(0.005)


async def test_what_others_have_in_flight_is_forgotten_with_control():
    async with linked() as (control, gateway):
        await control.watches.get()
        await control.updates.put(snapshot(service("h/a")))
        await control.watches.get()
        while not gateway.routes.upstreams["h/a"].elsewhere:
            await control.loads.get()
    assert gateway.routes.upstreams["h/a"].elsewhere == 0


async def test_what_others_have_in_flight_is_forgotten_when_control_is_frozen(monkeypatch):
    monkeypatch.setattr(control_link, "STALE_SECONDS", 0.05)
    async with linked() as (control, gateway):
        await control.watches.get()
        await control.updates.put(snapshot(service("h/a")))
        await control.watches.get()
        while not gateway.routes.upstreams["h/a"].elsewhere:
            await control.loads.get()
        control.mute = True
        while gateway.routes.upstreams["h/a"].elsewhere:
            await control.loads.get()


class Jammed:
    """A channel over which nothing comes and whose first message is never written."""

    def stream_stream(self, *_, **__):
        return lambda **_: self

    unary_unary = stream_stream

    async def write(self, *_):
        await asyncio.Event().wait()

    read = write

    def cancel(self):
        return True


async def test_what_others_have_in_flight_is_forgotten_while_a_message_cannot_be_written(
    monkeypatch,
):
    monkeypatch.setattr(control_link, "STALE_SECONDS", 0.05)
    gateway = Gateway(Config())
    gateway.route_table.current = {"service/h/a": read_resource(service("h/a"))}
    follow_all(gateway.routes, gateway.route_table)
    gateway.routes.set_elsewhere({"h/a": Elsewhere(4)})
    link = asyncio.create_task(ControlLink(gateway, Jammed(), "g1", None).run())
    async with asyncio.timeout(20):
        while gateway.routes.upstreams["h/a"].elsewhere:  # noqa: ASYNC110  # it sends no events
            await asyncio.sleep(0.005)
    link.cancel()
    with suppress(asyncio.CancelledError):
        await link


async def test_a_reason_that_all_streams_have_is_told_once(caplog):
    again = asyncio.Semaphore(0)

    def failed():
        again.release()
        return 0.5

    with socket.socket() as nowhere:
        nowhere.bind(("127.0.0.1", 0))
        gateway = Gateway(Config(), random=failed)
        async with aio_channel(f"127.0.0.1:{nowhere.getsockname()[1]}") as channel:
            link = asyncio.create_task(ControlLink(gateway, channel, "g1", None).run())
            async with asyncio.timeout(20):
                for _ in range(12):  # four streams
                    await again.acquire()
            link.cancel()
            with suppress(asyncio.CancelledError):
                await link

    (told,) = caplog.messages
    assert re.fullmatch(r"control: \w+: .*refused.*; nothing is known yet", told)
