"""Draining by an operator, through real processes: nobody fails, and it lasts."""

import asyncio
import json
import re

import grpc
import pytest

from tests.integration.cli.small_hive import geniehive
from tests.integration.cluster import running_cluster
from tests.integration.draining import Administrator, Load, chats, engines, until
from tests.processes import START_SECONDS, wait_until

pytestmark = pytest.mark.anyio

CYCLES = 2


def declared(running):
    return [
        {"service_id": name, "endpoint": engine.url, "engine": "openai"}
        for name, engine in zip("ab", running, strict=False)
    ]


async def test_no_request_fails_through_drains_under_load(tmp_path):
    load_of = {"clients": 6}
    async with engines() as running:
        with running_cluster(tmp_path, declared(running)) as cluster:
            await asyncio.to_thread(cluster.wait_for_model, "small")
            load = Load(cluster.url, **load_of)
            async with (
                grpc.aio.insecure_channel(cluster.control_address) as channel,
                load.running(),
            ):
                admin = Administrator(channel)
                await until(lambda: all(map(chats, running)), "both engines are asked")
                for _ in range(CYCLES):
                    took = await admin.last_after_drain("h1/a", running[0])
                    assert took < 10.0  # milliseconds, where nobody else is busy
                    before = len(chats(running[0]))
                    await admin.undrain("h1/a")
                    await until(
                        lambda before=before: len(chats(running[0])) > before, "it is asked again"
                    )
    assert load.ended["whole"] > CYCLES * 6
    assert load.failed == 0, load.ended


async def test_streams_of_a_drained_host_finish_and_new_requests_are_told_why(tmp_path):
    async with engines(count=1, words=30, pace=0.05) as running:
        with running_cluster(tmp_path, declared(running)) as cluster:
            await asyncio.to_thread(cluster.wait_for_model, "small")
            load = Load(cluster.url, clients=5)
            async with load.running():
                await until(lambda: running[0].in_flight == 5, "five streams")
                done = await asyncio.to_thread(geniehive, cluster, "drain", "h1", "--wait")
                assert done.returncode == 0, done.stderr
                assert done.stdout == "h1 drained; undo: geniehive undrain h1\n"
                assert re.search(r"^h1 draining, [1-5] left$", done.stderr, re.MULTILINE)
                assert running[0].in_flight == 0
            assert load.ended["whole"] >= 5
            assert set(load.ended) <= {"whole", "503"}  # there is no other host

            def told(*arguments):
                return geniehive(cluster, *arguments)

            explained = await asyncio.to_thread(told, "route", "explain", "small")
            assert "drained: as h1" in explained.stdout
            status = await asyncio.to_thread(told, "status", "--check")
            assert "h1: drained" in status.stdout
            assert status.returncode == 0
            service = await asyncio.to_thread(told, "services", "h1/a", "--json")
            state = json.loads(service.stdout)["service"]["state"]
            assert (state["drained"], state["accept_requests"]) == (True, False)
            assert state["availability"] == "available"


async def test_a_drain_that_was_answered_outlives_control_and_the_node(tmp_path):
    async with engines(count=1) as running:
        with running_cluster(tmp_path, declared(running)) as cluster:
            await asyncio.to_thread(cluster.wait_for_model, "small")
            async with grpc.aio.insecure_channel(cluster.control_address) as channel:
                await Administrator(channel).drain("h1")
            cluster.control.kill()
            cluster.node.stop()
            await asyncio.to_thread(_again, tmp_path, running[0].url)


def _again(folder, url):
    """Start control and a node anew on the store of before, and undrain."""
    (folder / "again").mkdir()
    storage = {"storage": {"sqlite_path": str(folder / "geniehive.sqlite3")}}
    services = [{"service_id": "a", "endpoint": url, "engine": "openai"}]
    with running_cluster(folder / "again", services, control=storage) as cluster:
        listed = geniehive(cluster, "services", "h1/a")
        wait_until(
            lambda: "h1/a: drained" in geniehive(cluster, "services", "h1/a").stdout,
            START_SECONDS,
            f"the service is there and drained: {listed}",
        )
        assert cluster.models() == set()

        done = geniehive(cluster, "undrain", "h1")
        assert done.stdout == "h1 is drained no longer; undo: geniehive drain h1\n"
        cluster.wait_for_model("small")
