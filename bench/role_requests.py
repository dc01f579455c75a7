"""How requests fare in a gateway while its table of roles changes."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from bench import catalogs, front
from bench.fleet_control import Control
from bench.front import beside
from bench.nodes import Node
from bench.processes import usage
from bench.role_figures import RolePlan, Served


@dataclass(frozen=True, slots=True)
class Stand:
    """What a gateway is put upon. cores: those that control has, and the gateway takes."""

    plan: RolePlan
    folder: Path
    address: str
    control: Control
    cores: set[int]
    catalog: Path
    probes: Sequence[Node]


async def served(stand: Stand) -> Served:
    """Run a gateway and an engine, and return how requests fare while the table changes.

    Raises:
        FleetFailed: one of them did not start, or requests were not answered.
    """
    stand.control.move(os.sched_getaffinity(0) or stand.cores)
    plan, first = stand.plan, stand.probes[0]
    async with (
        front.engine(stand.folder) as engine,
        front.gateway(stand.folder, stand.address, stand.cores) as gateway,
    ):
        first.move(engine)
        asked = first.service_id, plan.rate, plan.seconds
        await gateway.answers(first.service_id)
        quiet = await gateway.measured(*asked)
        async with beside(_changing(stand.probes, plan.changes_per_second)):
            changing = await gateway.measured(*asked)
        async with beside(_reloading(stand)):
            reloading = await gateway.measured(*asked)
        more = changing["cpu_share"] - quiet["cpu_share"]
        return Served(
            quiet=front.requests(quiet),
            changing=front.requests(changing),
            changes_per_second=plan.changes_per_second,
            reloading=front.requests(reloading),
            cpu_ms_per_change=1_000 * more / plan.changes_per_second,
            rss_mib=usage([gateway.process.pid]).rss_bytes / (1 << 20),
        )


async def _changing(nodes: Sequence[Node], per_second: float) -> None:
    """Let services change their speed, one after the other, until cancelled."""
    due = time.monotonic()
    for node in cycle(nodes):
        due += 1 / per_second
        await asyncio.sleep(due - time.monotonic())
        node.change_speed()


async def _reloading(stand: Stand) -> None:
    """Change every role of the catalog in the middle of what is measured."""
    await asyncio.sleep(front.WARMUP_SECONDS + stand.plan.seconds / 2)
    catalogs.write(stand.catalog, stand.plan.roles, 3, mixed=stand.plan.mixed)
    stand.control.read_again()
