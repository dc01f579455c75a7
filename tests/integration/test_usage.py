"""What a gateway measures reaches control once, though control dies and its database is locked."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager, suppress

import grpc
import httpx
import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as pb_grpc
from geniehive.v1 import routing_service_pb2 as routing_pb
from geniehive.v1 import routing_service_pb2_grpc as routing_grpc

from control.api.channel import aio_channel
from gateway.config import Config
from gateway.control_link import ControlLink
from gateway.gateway import Gateway
from gateway.reasoning import Usage
from tests.processes import START_SECONDS, wait_until

pytestmark = pytest.mark.anyio

SERVICE = "h1/fake"


@asynccontextmanager
async def linked(address):
    """Run the link of a gateway to a control that may come and go; yields gateway and link."""
    gateway = Gateway(Config())
    async with aio_channel(address) as channel:
        link = ControlLink(gateway, channel, "g1", None)
        running = asyncio.create_task(link.run())
        try:
            yield gateway, link
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def answer(gateway, times):
    """Count as many answers; each is of 11 tokens, the last 10 of them within 2 s."""
    for _ in range(times):
        tally = gateway.meter.tally(SERVICE, "small")
        tally.answered(0.5, 2.5, Usage(7, 11), streamed=True)


async def counted(address):
    """Return what control shows of the service, once it is registered."""
    async with aio_channel(address) as channel, asyncio.timeout(START_SECONDS):
        stub = pb_grpc.DiscoveryServiceStub(channel)
        while True:
            with suppress(grpc.RpcError):
                request = pb.GetServiceRequest(service_id=SERVICE)
                return (await stub.GetService(request)).service.measured
            await asyncio.sleep(0.05)


async def told(gateway, link):
    """Wait until control has acknowledged everything."""
    assert await link.flush(START_SECONDS)
    assert not gateway.meter.waiting


@pytest.fixture
def start(spawn, tmp_path, fake_engine, one_loop):
    """Start a control with the store of this test; the first one with a node."""
    storage = {"sqlite_path": str(tmp_path / "geniehive.sqlite3")}

    def start(port=0):
        control = spawn("control", {"listen": f"127.0.0.1:{port}", "storage": storage})
        address = f"127.0.0.1:{control.port()}"
        if not port:
            services = [{"service_id": "fake", "endpoint": fake_engine}]
            spawn("node", {"control": address, "node": {"host_id": "h1"}, "services": services})
        return control, address

    return start


async def test_counts_are_exact_through_the_death_of_control(start):
    control, address = start()
    await counted(address)
    async with linked(address) as (gateway, link):
        answer(gateway, 3)
        await told(gateway, link)
        answer(gateway, 4)
        control.kill()
        answer(gateway, 5)
        await asyncio.to_thread(start, int(address.rpartition(":")[2]))
        await told(gateway, link)
        measured = await counted(address)

    assert measured.request_count == 12
    assert (measured.prompt_tokens, measured.completion_tokens) == (84, 132)
    assert measured.tokens_per_second == 5.0
    assert measured.first_byte_p50.ToMilliseconds() == pytest.approx(500, rel=0.1)


async def test_while_the_database_is_locked_nothing_is_acknowledged_and_nothing_is_lost(
    start, tmp_path
):
    _, address = start()
    await counted(address)
    async with linked(address) as (gateway, link):
        other = sqlite3.connect(tmp_path / "geniehive.sqlite3")
        other.execute("BEGIN IMMEDIATE")
        answer(gateway, 3)
        assert not await link.flush(0.5)
        answer(gateway, 4)
        assert (await counted(address)).request_count == 0
        other.close()
        await told(gateway, link)
        measured = await counted(address)

    assert measured.request_count == 7


async def scores(address):
    """Return how control scores those who serve the model."""
    async with aio_channel(address) as channel:
        stub = routing_grpc.RoutingServiceStub(channel)
        answer = await stub.ResolveRoute(routing_pb.ResolveRouteRequest(model="small"), timeout=5)
        return [one.candidate.score for one in answer.candidates]


async def test_what_was_measured_moves_the_score(start):
    """By the sweep after the report; nobody asks for it."""
    _, address = start()
    await counted(address)
    (before,) = await scores(address)
    async with linked(address) as (gateway, link):
        for _ in range(9):
            tally = gateway.meter.tally(SERVICE, "small")
            tally.answered(0.2, 1.2, Usage(7, 51), streamed=True)
        await told(gateway, link)
        async with asyncio.timeout(START_SECONDS):
            while True:
                (after,) = await scores(address)
                if after != before:
                    break
                await asyncio.sleep(0.05)

    assert after > before


def ask(gateway, **more):
    """Ask for one answer of 8 tokens."""
    body = {"model": "small", "messages": [{"role": "user", "content": "Say hello"}], **more}
    answer = httpx.post(
        f"http://127.0.0.1:{gateway.port()}/v1/chat/completions", json=body, trust_env=False
    )
    assert answer.is_success


async def test_what_was_asked_is_shown_and_a_gateway_that_stops_reports_the_rest(start, spawn):
    _, address = start()
    gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": address})
    ready = f"http://127.0.0.1:{gateway.port()}/v1/models/small"
    wait_until(lambda: httpx.get(ready, trust_env=False).is_success, START_SECONDS, "the model")
    ask(gateway)
    for _ in range(3):
        ask(gateway, stream=True, stream_options={"include_usage": True})
    await asyncio.to_thread(gateway.stop)
    measured = await counted(address)

    assert measured.request_count == 4
    assert (measured.prompt_tokens, measured.completion_tokens) == (28, 32)
    assert measured.tokens_per_second > 0
    assert measured.HasField("first_byte_p50")
