"""What roles cost control and gateways: a fleet as in `fleet`, and a catalog over all of it.

First control has a core to itself and one gateway's table follows it; then a real gateway
takes that core (`role_requests`).
"""

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import catalogs, pulse
from bench.board import Board
from bench.fleet_control import Control, FleetFailed, end, tethered, until
from bench.fleet_parts import divided, following, running
from bench.nodes import Node
from bench.role_figures import Compiled, Followed, RoleFigures, RolePlan
from bench.role_requests import Stand, served
from bench.watcher import Watcher
from gateway.resources import Candidate, Target
from gateway.routes import Routes

PATIENCE_SECONDS = 120.0  # for a whole fleet to come, or to come back
CHANGE_SECONDS = 10.0
CHANGE_GAP_SECONDS = 0.03  # above the time within which control sends changes together
IDLE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everybody who takes part, and the file of what calls to control took."""

    plan: RolePlan
    control: Control
    address: str
    board: Board
    catalog: Path
    felt: Path
    probes: Sequence[Node]
    watcher: Watcher

    def compiled(self, began: int, told: int, cpu_ns: float) -> Compiled:
        """Return what is known of the time from `began` to `told`."""
        calls, beats = (pulse.read(self.felt, one, began, told) for one in pulse.WHAT)
        return Compiled((told - began) / 1e9, cpu_ns / 1e9, calls, beats)


async def measure(plan: RolePlan) -> RoleFigures:
    """Run the fleet of `plan` with a control of its own and return what was measured.

    Raises:
        FleetFailed: somebody did not start, or did not get as far as needed in time.
    """
    with tempfile.TemporaryDirectory(prefix="geniehive-roles-") as name, divided() as cores:
        folder = Path(name)
        board = Board.create(folder / "board", plan.nodes)
        catalog = folder / "roles.yaml"
        catalogs.write(catalog, plan.roles, 1, mixed=plan.mixed)
        control = Control(folder, plan.fleet, cores, catalog)
        try:
            address = await control.start("127.0.0.1:0")
            async with running(plan.fleet, folder, address) as (_, probes):
                async with following(address) as watcher:
                    felt = folder / "pulse"
                    told = await _followed(
                        _Scene(plan, control, address, board, catalog, felt, probes, watcher)
                    )
                found = await served(Stand(plan, folder, address, control, cores, catalog, probes))
        finally:
            gc.unfreeze()
            control.end()
    return RoleFigures(plan.nodes, plan.roles, plan.mixed, told, found)


async def _followed(scene: _Scene) -> Followed:
    await _registered(scene, since=0.0)
    await scene.watcher.rest(scene.plan.rest)
    gc.collect()
    gc.freeze()  # as gateways do
    feeling = tethered(
        ["bench.pulse", scene.address, str(scene.felt)], scene.felt.with_suffix(".log")
    )
    try:
        registered, settled, start = await _started(scene)
        idle = await _idle(scene)
        candidates = sum(len(one.candidates) for one in _roles(scene.watcher).values())
        if not scene.plan.mixed and candidates != scene.plan.nodes * scene.plan.roles:
            raise FleetFailed(f"roles have only {candidates:,} candidates")
        delays, told, cpu_ns = await _changed(scene, idle)
        return Followed(
            candidates=candidates,
            registered_s=registered,
            settled_s=settled,
            start=start,
            reload=await _reloaded(scene, idle),
            changes=pulse.times(delays),
            bytes_per_change=told / len(delays),
            cpu_ms_per_change=cpu_ns / 1e6 / len(delays),
            rss_mib=scene.control.used().rss_bytes / (1 << 20),
        )
    finally:
        end(feeling)


async def _started(scene: _Scene) -> tuple[float, float, Compiled]:
    """Kill control, start it again, and wait until the gateway has all of the new table.

    Return after how many seconds the nodes were back and the table was settled, too.
    """
    scene.control.kill()
    began, began_at = time.perf_counter_ns(), time.monotonic()
    await scene.control.start(scene.address)
    await _registered(scene, since=began_at)
    await until(lambda: scene.watcher.table.settled, "the gateway is not settled", PATIENCE_SECONDS)
    told = await scene.watcher.rest(scene.plan.rest)
    settled = max(told, scene.watcher.settled_at) - began
    registered = max(scene.board.registered_at) - began_at
    start = scene.compiled(began, told, scene.control.used().cpu_ns)
    return registered, settled / 1e9, start


async def _idle(scene: _Scene) -> float:
    """Return the share of a core that beats alone cost control, and calls that feel its pulse."""
    before = scene.control.used().cpu_ns
    await asyncio.sleep(IDLE_SECONDS)
    return (scene.control.used().cpu_ns - before) / 1e9 / IDLE_SECONDS


async def _changed(scene: _Scene, idle: float) -> tuple[list[int], int, float]:
    """Let the speed of one service change after the other.

    Return how long each took to the gateway, what the gateway received, and what control used.
    """
    delays = []
    received, cpu_ns = scene.watcher.received, scene.control.used().cpu_ns
    started = time.perf_counter_ns()
    for node in scene.probes:
        await asyncio.sleep(CHANGE_GAP_SECONDS * (1 + random.random()))
        before = _candidates(scene.watcher, node.service_id)
        began = time.perf_counter_ns()
        node.change_speed()
        fact = partial(_all_new, scene.watcher, node.service_id, before)
        try:
            async with asyncio.timeout(CHANGE_SECONDS):
                delays.append(await scene.watcher.until(fact) - began)
        except TimeoutError as error:
            raise FleetFailed(f"a change took more than {CHANGE_SECONDS:.0f} s") from error
    took = time.perf_counter_ns() - started
    used = scene.control.used().cpu_ns - cpu_ns - idle * took
    return delays, scene.watcher.received - received, used


async def _reloaded(scene: _Scene, idle: float) -> Compiled:
    """Change every role in the catalog, and wait until the gateway has all of that."""
    before = set(_policies(scene.watcher))
    catalogs.write(scene.catalog, scene.plan.roles, 2, mixed=scene.plan.mixed)
    cpu_ns = scene.control.used().cpu_ns
    began = time.perf_counter_ns()
    scene.control.read_again()
    await until(
        lambda: before.isdisjoint(_policies(scene.watcher)),
        "the gateway does not have all roles of the new catalog",
        PATIENCE_SECONDS,
    )
    told = await scene.watcher.rest(scene.plan.rest)
    used = scene.control.used().cpu_ns - cpu_ns - idle * (time.perf_counter_ns() - began)
    return scene.compiled(began, told, max(0.0, used))


async def _registered(scene: _Scene, since: float) -> None:
    """Wait until all nodes registered after `since`, by `time.monotonic`."""
    await until(
        lambda: min(scene.board.registered_at) > since,
        "the nodes did not all register",
        PATIENCE_SECONDS,
    )


def _roles(watcher: Watcher) -> dict[str, Target]:
    """Return the targets of roles, by the names of their resources."""
    table = watcher.table.current
    return {name: one for name, one in table.items() if isinstance(one, Target) and one.is_role}


def _policies(watcher: Watcher) -> list[int]:
    """Return the policies that candidates of roles refer to."""
    return [
        candidate.policy_id
        for target in _roles(watcher).values()
        for candidate in target.candidates.values()
    ]


def _candidates(watcher: Watcher, service_id: str) -> dict[str, Candidate]:
    """Return what a service is for roles, by the names of their resources."""
    roles = _roles(watcher).items()
    return {name: one.candidates[service_id] for name, one in roles if service_id in one.candidates}


def _all_new(
    watcher: Watcher, service_id: str, before: Mapping[str, Candidate], routes: Routes
) -> bool:
    now = _candidates(watcher, service_id)
    return all(now.get(name) != one for name, one in before.items())
