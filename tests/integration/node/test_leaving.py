"""A node that is told to stop: what is in flight on its host ends, directly and through it."""

import asyncio
import re
import signal
import sys
import time

import httpx
import pytest

from tests.integration.cluster import running_cluster
from tests.integration.draining import engines, stream, until
from tests.processes import STOP_SECONDS

pytestmark = pytest.mark.anyio

STREAMS = 12
RELAYS = {"direct": {}, "relayed": {"relay": {"mode": "always", "listen": "127.0.0.1:0"}}}


def services(running):
    return [{"service_id": "a", "endpoint": running[0].url, "engine": "openai"}]


@pytest.fixture(params=list(RELAYS))
def relay(request):
    """How gateways reach the engine, as settings of the node."""
    return RELAYS[request.param]


async def test_streams_in_flight_finish_before_the_node_leaves(tmp_path, relay):
    async with engines(count=1, words=10, pace=0.1) as running:
        with running_cluster(tmp_path, services(running), node=relay) as cluster:
            await asyncio.to_thread(cluster.wait_for_model, "small")
            async with httpx.AsyncClient(base_url=cluster.url, trust_env=False) as client:
                streams = [asyncio.create_task(stream(client)) for _ in range(STREAMS)]
                await until(lambda: running[0].in_flight == STREAMS, "all are in flight")
                cluster.node.process.terminate()
                await until(lambda: cluster.node.process.poll() is not None, "the node left")
                left_behind = running[0].in_flight
                assert await asyncio.gather(*streams) == ["whole"] * STREAMS
    assert left_behind == 0
    assert cluster.node.process.returncode == 0
    assert "the time to drain is over" not in cluster.node.logged()


async def test_what_does_not_end_is_left_when_the_time_is_over(tmp_path):
    async with engines(count=1, words=2_000, pace=0.1) as running:
        node = {**RELAYS["relayed"], "drain": 0.6}
        with running_cluster(tmp_path, services(running), node=node) as cluster:
            await asyncio.to_thread(cluster.wait_for_model, "small")
            async with httpx.AsyncClient(base_url=cluster.url, trust_env=False) as client:
                one = asyncio.create_task(stream(client))
                await until(lambda: running[0].in_flight == 1, "it is in flight")
                cluster.node.process.terminate()
                code = await asyncio.to_thread(cluster.node.process.wait, STOP_SECONDS)
                one.cancel()
    assert code == 0
    assert "leaving with 1 in flight: the time to drain is over" in cluster.node.logged()


@pytest.mark.skipif(sys.platform == "win32", reason="no signal reaches a process there")
async def test_a_second_signal_leaves_at_once(tmp_path):
    async with engines(count=1, words=2_000, pace=0.1) as running:
        node = {"drain": 3_600}
        with running_cluster(tmp_path, services(running), node=node) as cluster:
            await asyncio.to_thread(cluster.wait_for_model, "small")
            async with httpx.AsyncClient(base_url=cluster.url, trust_env=False) as client:
                one = asyncio.create_task(stream(client))
                await until(lambda: running[0].in_flight == 1, "it is in flight")
                cluster.node.process.send_signal(signal.SIGINT)
                said = re.compile("draining, 1 in flight")
                await asyncio.to_thread(cluster.node.wait_for_log, said)
                began = time.monotonic()
                cluster.node.process.send_signal(signal.SIGINT)
                code = await asyncio.to_thread(cluster.node.process.wait, STOP_SECONDS)
                one.cancel()
    assert code == 0
    assert time.monotonic() - began < STOP_SECONDS
