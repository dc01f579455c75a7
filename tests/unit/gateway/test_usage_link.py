"""Reporting what was measured: one batch at a time, again and unchanged until it is kept."""

import asyncio
from contextlib import asynccontextmanager, suppress

import grpc
import pytest
from geniehive.v1 import usage_service_pb2 as pb
from geniehive.v1 import usage_service_pb2_grpc as pb_grpc

from control.api.channel import aio_channel
from control.api.errors import StorageUnavailable
from gateway import control_link, usage_link
from gateway.config import Config
from gateway.control_link import ControlLink
from gateway.gateway import Gateway
from gateway.meter import Increment, Meter
from gateway.reasoning import Usage
from gateway.usage_link import MAX_COUNT, MAX_INCREMENTS, Batch, Outbox

pytestmark = pytest.mark.anyio


class TestOutbox:
    def test_nothing_measured_is_nothing_due(self):
        outbox = Outbox(Meter())

        assert outbox.empty
        assert outbox.due() is None

    def test_a_batch_stays_the_same_until_it_is_acknowledged(self):
        meter = Meter()
        outbox = Outbox(meter)
        meter.tally("h/a", "m").left()
        first = outbox.due()
        meter.tally("h/a", "m").left()

        assert outbox.due() == first == Batch(1, (Increment("h/a", "m", abandoned=1),))
        outbox.acknowledge(0)
        assert outbox.due() == first
        outbox.acknowledge(1)
        assert not outbox.empty
        assert outbox.due() == Batch(2, (Increment("h/a", "m", abandoned=1),))

    def test_what_comes_while_control_is_away_adds_up(self):
        meter = Meter()
        outbox = Outbox(meter)
        for _ in range(1_000):
            meter.tally("h/a", "m").left()
            outbox.due()
        outbox.acknowledge(1)

        assert outbox.due() == Batch(2, (Increment("h/a", "m", abandoned=999),))

    def test_a_batch_is_no_larger_than_control_takes(self):
        meter = Meter()
        outbox = Outbox(meter)
        for number in range(MAX_INCREMENTS + 1):
            meter.tally("h/a", f"m{number}").left()

        assert len(outbox.due().increments) == MAX_INCREMENTS
        outbox.acknowledge(1)
        assert len(outbox.due().increments) == 1


class ScriptedUsage(pb_grpc.UsageServiceServicer):
    """Takes reports; `refusals` of them are answered with an error."""

    def __init__(self, interval):
        self.interval = interval
        self.refusals = 0
        self.metadata = {}
        self.reports = asyncio.Queue()

    async def ReportUsage(self, request_iterator, context):
        self.metadata = dict(context.invocation_metadata())
        async for request in request_iterator:
            await self.reports.put(request)
            if self.refusals:
                self.refusals -= 1
                await context.abort(StorageUnavailable.grpc, "the disk is full")
            response = pb.ReportUsageResponse(sequence=request.sequence)
            response.interval.FromMilliseconds(int(self.interval * 1000))
            yield response


@asynccontextmanager
async def linked(interval=0.01, key=None):
    usage, gateway = ScriptedUsage(interval), Gateway(Config())
    server = grpc.aio.server()
    pb_grpc.add_UsageServiceServicer_to_server(usage, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio_channel(f"127.0.0.1:{port}") as channel:
        link = ControlLink(gateway, channel, "g1", key)
        running = asyncio.create_task(link.run())
        try:
            async with asyncio.timeout(20):
                yield usage, gateway.meter, link
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    await server.stop(None)


@pytest.fixture(autouse=True)
def soon(monkeypatch, one_loop):
    monkeypatch.setattr(control_link, "RETRY_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(usage_link, "FIRST_INTERVAL_S", 0.01)


async def test_what_was_measured_is_reported():
    async with linked(key="gateway-key") as (usage, meter, _):
        tally = meter.tally("h/a", "m")
        tally.answered(1.0, 3.0, Usage(7, 11), streamed=True)
        tally.failed("upstream_error")
        report = await usage.reports.get()

        expected = pb.UsageIncrement(
            service_id="h/a",
            asset_id="m",
            answered_count=1,
            error_counts={"upstream_error": 1},
            prompt_tokens=7,
            completion_tokens=11,
            decoded_tokens=10,
            first_byte_counts={40: 1},
        )
        expected.decode_duration.FromSeconds(2)
        assert (len(report.reporter_id), report.sequence) == (32, 1)
        assert list(report.increments) == [expected]
        assert usage.metadata["x-geniehive-gateway-key"] == "gateway-key"


async def test_an_engine_that_counts_beyond_all_reason_stops_no_reports():
    async with linked() as (usage, meter, _):
        tally = meter.tally("h/a", "m")
        for _ in range(1_025):
            tally.answered(1.0, 3.0, Usage(2**53 - 1, 2**53 - 1), streamed=True)
        meter.tally("h/b", "m").left()
        odd, other = (await usage.reports.get()).increments

        assert (odd.answered_count, odd.prompt_tokens) == (1_025, MAX_COUNT)
        assert (odd.completion_tokens, odd.decoded_tokens) == (MAX_COUNT, MAX_COUNT)
        assert other.abandoned_count == 1


async def test_a_batch_that_was_refused_comes_again_unchanged_then_what_came_since():
    async with linked() as (usage, meter, _):
        usage.refusals = 2
        meter.tally("h/a", "m").left()
        first = await usage.reports.get()
        meter.tally("h/a", "m").left()
        again = [await usage.reports.get() for _ in range(2)]
        after = await usage.reports.get()

        assert again == [first, first]
        assert (after.sequence, after.increments[0].abandoned_count) == (2, 1)
        assert after.reporter_id == first.reporter_id


async def test_flushing_tells_what_is_left_at_once():
    async with linked(interval=3600) as (usage, meter, link):
        meter.tally("h/a", "m").left()
        await usage.reports.get()
        for _ in range(3):
            meter.tally("h/a", "m").left()

            assert await link.flush(10)
            assert usage.reports.get_nowait().increments[0].abandoned_count == 1


async def test_flushing_with_nothing_left_asks_nobody():
    async with aio_channel("127.0.0.1:1") as channel:
        assert await ControlLink(Gateway(Config()), channel, "g1", None).flush(10)


async def test_flushing_gives_up_when_control_is_away():
    async with aio_channel("127.0.0.1:1") as channel:
        gateway = Gateway(Config())
        gateway.meter.tally("h/a", "m").left()

        assert not await ControlLink(gateway, channel, "g1", None).flush(0.01)
        assert gateway.meter.waiting == 1
