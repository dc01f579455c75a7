"""What control costs and how fast it is with a fleet of simulated nodes.

A real control, real streams, and the route table of a real gateway. Control has a core
to itself; nodes and gateway share the others, so read control's own figures first: a
fleet in Python is sooner out of breath than control.
"""

import asyncio
import contextlib
import gc
import random
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as pb_grpc
from geniehive.v1 import inventory_pb2 as inventory

from bench.board import Board
from bench.figures import percentile
from bench.fleet_control import Control, FleetFailed, until
from bench.fleet_figures import Changes, Comeback, Figures, Plan, Steady, fullest
from bench.fleet_parts import divided, following, running
from bench.nodes import Node
from bench.processes import usage
from bench.watcher import Watcher
from control.api.channel import aio_channel
from control.api.errors import ModelNotFound, NoHealthyRoute
from gateway.routes import Routes

PATIENCE_SECONDS = 120.0  # for a whole fleet to come, or to come back
CHANGE_SECONDS = 10.0
CHANGE_GAP_SECONDS = 0.02  # above the time within which control sends changes together


async def measure(plan: Plan) -> Figures:
    """Run the fleet of `plan` with a control of its own and return what was measured.

    Raises:
        FleetFailed: control did not start, or the nodes did not get to it in time.
    """
    with tempfile.TemporaryDirectory(prefix="geniehive-fleet-") as name, divided() as cores:
        folder = Path(name)
        board = Board.create(folder / "board", plan.nodes)
        control = Control(folder, plan, cores)
        try:
            address = await control.start("127.0.0.1:0")
            async with (
                following(address) as watcher,
                running(plan, folder, address) as (loaders, probes),
            ):
                began = time.monotonic()
                await until(
                    lambda: all(board.registrations),
                    "the nodes did not all register",
                    PATIENCE_SECONDS,
                )
                registered = max(board.registered_at) - began
                await until(
                    lambda: _known(watcher, probes),
                    "the gateway does not have all nodes",
                    PATIENCE_SECONDS,
                )
                gc.collect()
                gc.freeze()  # as gateways do
                steady = await _steady(plan, control, loaders, board)
                changes = await _changes(probes, watcher)
                comeback = await _comeback(plan, control, board, address)
        finally:
            gc.unfreeze()
            control.end()
    return Figures(
        nodes=plan.nodes,
        services=plan.nodes * plan.services,
        registered_s=registered,
        steady=steady,
        changes=changes,
        comeback=comeback,
    )


async def _steady(
    plan: Plan, control: Control, loaders: Sequence[subprocess.Popen[bytes]], board: Board
) -> Steady:
    """Return what beats alone cost."""
    started, beats = time.monotonic(), sum(board.beats)
    cpu, transactions = control.used().cpu_ns, control.transactions()
    load = [usage([process.pid]).cpu_ns for process in loaders]
    await asyncio.sleep(plan.seconds)
    seconds, beats = time.monotonic() - started, sum(board.beats) - beats
    used = control.used()
    loads = [
        usage([process.pid]).cpu_ns - before for process, before in zip(loaders, load, strict=True)
    ]
    return Steady(
        beats_per_second=beats / seconds,
        cpu_share=(used.cpu_ns - cpu) / 1e9 / seconds,
        cpu_us_per_beat=(used.cpu_ns - cpu) / 1e3 / max(beats, 1),
        rss_mib=used.rss_bytes / (1 << 20),
        transactions_per_second=(control.transactions() - transactions) % (1 << 32) / seconds,
        nodes_cpu_share=max(loads, default=0) / 1e9 / seconds,
    )


async def _changes(probes: Sequence[Node], watcher: Watcher) -> Changes:
    """Let one service of each of `probes` break down, one after the other."""
    delays = []
    for node in probes:
        await asyncio.sleep(CHANGE_GAP_SECONDS * (1 + random.random()))
        began = time.perf_counter_ns()
        node.break_down()
        try:
            async with asyncio.timeout(CHANGE_SECONDS):
                applied = await watcher.until(partial(_broken, node=node))
        except TimeoutError as error:
            raise FleetFailed(f"a change took more than {CHANGE_SECONDS:.0f} s") from error
        delays.append(applied - began)
    delays.sort()
    p50, p99, slowest = (percentile(delays, share) or 0 for share in (0.5, 0.99, 1.0))
    return Changes(len(delays), p50 / 1e6, p99 / 1e6, slowest / 1e6)


async def _comeback(plan: Plan, control: Control, board: Board, address: str) -> Comeback:
    """Kill control, start it again, and watch all nodes come back."""
    control.kill()
    await asyncio.sleep(plan.down)
    registrations = sum(board.registrations)
    started = time.monotonic()
    async with aio_channel(address) as channel, _counting_lost(channel) as lost:
        await control.start(address)
        await until(
            lambda: min(board.registered_at) > started,
            "the nodes did not all come back",
            PATIENCE_SECONDS,
        )
        back = max(board.registered_at) - started
        await asyncio.sleep(plan.after)
        return Comeback(
            seconds=back,
            fullest_second=fullest([at - started for at in board.registered_at]),
            needless=int(sum(board.registrations) - registrations) - plan.nodes,
            marked_down=max(lost, default=0),
        )


@contextlib.asynccontextmanager
async def _counting_lost(channel: grpc.aio.Channel) -> AsyncIterator[list[int]]:
    """Yield what grows by the number of lost hosts, each time that control tells it."""
    stub: Any = pb_grpc.DiscoveryServiceStub(channel)
    counts: list[int] = []

    async def ask() -> None:
        while True:
            with contextlib.suppress(grpc.RpcError):
                health = await stub.GetClusterHealth(pb.GetClusterHealthRequest(), timeout=1.0)
                counts.append(health.lost_host_count)
            await asyncio.sleep(0.5)

    asking = asyncio.create_task(ask())
    try:
        yield counts
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


def _known(watcher: Watcher, probes: Sequence[Node]) -> bool:
    return watcher.routes.ready and all(_routable(watcher.routes, node) for node in probes)


def _broken(routes: Routes, node: Node) -> bool:
    return not _routable(routes, node)


def _routable(routes: Routes, node: Node) -> bool:
    try:
        routes.resolve(inventory.OPERATION_CHAT, node.service_id)
    except (NoHealthyRoute, ModelNotFound):
        return False
    return True
