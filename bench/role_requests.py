"""How requests fare in a gateway while its table of roles changes."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench import catalogs, chat
from bench.fleet_control import Control, FleetFailed, end, listening, move, tethered
from bench.nodes import Node
from bench.processes import usage
from bench.role_figures import Requests, RolePlan, Served

READY_SECONDS = 30.0
POLL_SECONDS = 0.1
LOAD_SECONDS = 30.0  # on top of what a run takes, for its start
WARMUP_SECONDS = 1.0
CONNECTIONS = 8
PATH = "/v1/chat/completions"


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
    log = stand.folder / "engine.log"
    engine = tethered(["bench", "upstream"], log)
    try:
        first = stand.probes[0]
        first.move(f"http://{await listening(engine, log)}")
        async with _gateway(stand) as (process, url):
            await _answering(url, first.service_id)
            quiet = await _measured(stand, url, process.pid)
            async with _beside(_changing(stand.probes, stand.plan.changes_per_second)):
                changing = await _measured(stand, url, process.pid)
            async with _beside(_reloading(stand)):
                reloading = await _measured(stand, url, process.pid)
            more = changing["cpu_share"] - quiet["cpu_share"]
            return Served(
                quiet=_requests(quiet),
                changing=_requests(changing),
                changes_per_second=stand.plan.changes_per_second,
                reloading=_requests(reloading),
                cpu_ms_per_change=1_000 * more / stand.plan.changes_per_second,
                rss_mib=usage([process.pid]).rss_bytes / (1 << 20),
            )
    finally:
        end(engine)


@contextlib.asynccontextmanager
async def _gateway(stand: Stand) -> AsyncIterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a gateway, and yield it with its URL."""
    settings = stand.folder / "gateway.yaml"
    content = {
        "listen": "127.0.0.1:0",
        "control": stand.address,
        "state_dir": str(stand.folder / "gateway"),
    }
    settings.write_text(yaml.safe_dump(content))
    log = stand.folder / "gateway.log"
    process = tethered(["gateway", "--config", str(settings)], log)
    try:
        address = await listening(process, log)
        move(process, stand.cores)
        yield process, f"http://{address}"
    finally:
        end(process)


async def _answering(url: str, service_id: str) -> None:
    """Wait until requests for a service are answered.

    Raises:
        FleetFailed: they are not.
    """
    body = chat.body(service_id, 0, stream=False)
    headers = {"Content-Type": "application/json"}
    said = ""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.post(f"{url}{PATH}", content=body, headers=headers)
                    said = answer.text[-200:]
                    if answer.status_code == 200:
                        return
                await asyncio.sleep(POLL_SECONDS)
    raise FleetFailed(f"the gateway does not serve within {READY_SECONDS:.0f} s: {said}")


async def _measured(stand: Stand, url: str, gateway: int) -> dict[str, Any]:
    """Run the load generator as a process of its own and return what it told.

    Raises:
        FleetFailed: requests were refused.
    """
    plan = stand.plan
    command = [
        *(sys.executable, "-P", "-m", "bench", "load", f"{url}{PATH}", "--json"),
        *("--model", stand.probes[0].service_id, "--rate", str(plan.rate)),
        *("--connections", str(CONNECTIONS), "--seconds", str(plan.seconds)),
        *("--warmup", str(WARMUP_SECONDS), "--pid", str(gateway)),
    ]
    bound = plan.seconds + WARMUP_SECONDS + LOAD_SECONDS
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=bound, check=False
    )
    if done.returncode != 0:
        raise FleetFailed(f"requests failed: {done.stderr.strip()[-200:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    if found["errors"]:
        raise FleetFailed(f"requests failed: {found['errors']}")
    return found


def _requests(found: dict[str, Any]) -> Requests:
    latency = found["latency"]
    return Requests(found["answered"], latency["p50"], latency["p99"], latency["max"])


@contextlib.asynccontextmanager
async def _beside(doing: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let something be done while the context lasts."""
    task = asyncio.create_task(doing)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _changing(nodes: Sequence[Node], per_second: float) -> None:
    """Let services change their speed, one after the other, until cancelled."""
    due = time.monotonic()
    for node in cycle(nodes):
        due += 1 / per_second
        await asyncio.sleep(due - time.monotonic())
        node.change_speed()


async def _reloading(stand: Stand) -> None:
    """Change every role of the catalog in the middle of what is measured."""
    await asyncio.sleep(WARMUP_SECONDS + stand.plan.seconds / 2)
    catalogs.write(stand.catalog, stand.plan.roles, 3, mixed=stand.plan.mixed)
    stand.control.read_again()
