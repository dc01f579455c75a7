"""What it costs to look at a cluster: a fleet as in `fleet`, and clients that list it.

Requests are measured before, and while others look, so that what they cost shows.
"""

import asyncio
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from bench import catalogs, chat, front, pulse
from bench.board import Board
from bench.fleet_control import Control, FleetFailed, until
from bench.fleet_parts import divided, running
from bench.front import Front, beside
from bench.nodes import Node
from bench.view_figures import Junk, ViewFigures, ViewPlan

VIEWS = ("/v1/models", "/v1/cluster/services")
METRICS = "/metrics"
LAG_SECONDS = 0.02  # between two calls that feel the gateway's loop
PATIENCE_SECONDS = 120.0
AT_ONCE = 16  # names that nobody serves


async def measure(plan: ViewPlan) -> ViewFigures:
    """Run the fleet of `plan` with a control and a gateway of its own; return what was measured.

    Raises:
        FleetFailed: somebody did not start, or did not answer as needed.
    """
    with tempfile.TemporaryDirectory(prefix="geniehive-views-") as name, divided() as cores:
        folder = Path(name)
        board = Board.create(folder / "board", plan.nodes)
        catalog = folder / "roles.yaml"
        catalogs.write(catalog, plan.roles, 1, mixed=False)
        # The gateway has a core to itself: what is looked at is how it fares.
        control = Control(folder, plan.fleet, os.sched_getaffinity(0), catalog)
        try:
            address = await control.start("127.0.0.1:0")
            async with (
                running(plan.fleet, folder, address) as (_, probes),
                front.engine(folder) as engine,
                front.gateway(folder, address, cores) as gateway,
                httpx.AsyncClient(
                    base_url=gateway.url, trust_env=False, timeout=PATIENCE_SECONDS
                ) as client,
            ):
                await until(
                    lambda: min(board.registered_at) > 0,
                    "the nodes did not all register",
                    PATIENCE_SECONDS,
                )
                probes[0].move(engine)
                return await _looked_at(plan, probes[0], gateway, client)
        finally:
            control.end()


async def _looked_at(
    plan: ViewPlan, probe: Node, gateway: Front, client: httpx.AsyncClient
) -> ViewFigures:
    await gateway.answers(probe.service_id)
    await _all_listed(plan, client)
    asked = probe.service_id, plan.rate, plan.seconds
    quiet = await gateway.measured(*asked)
    first, sizes = {}, {}  # nobody has looked for some time
    for path in VIEWS:
        took, answer = await _timed(client, path)
        first[path], sizes[path] = took / 1e6, len(answer.content)
    took_by: dict[str, list[int]] = defaultdict(list)
    async with (
        beside(_looking(client, took_by, VIEWS[0], 1 / plan.looks_per_second)),
        beside(_looking(client, took_by, VIEWS[1], 1 / plan.looks_per_second)),
        beside(_looking(client, took_by, "/health", LAG_SECONDS)),
    ):
        watched = await gateway.measured(*asked)
    return ViewFigures(
        nodes=plan.nodes,
        roles=plan.roles,
        first=first,
        looks={path: pulse.times(took_by[path]) for path in VIEWS},
        sizes=sizes,
        lag=pulse.times(took_by["/health"]),
        quiet=front.requests(quiet),
        watched=front.requests(watched),
        cpu_us_quiet=1e6 * quiet["cpu_share"] / plan.rate,
        cpu_us_watched=1e6 * watched["cpu_share"] / plan.rate,
        junk=await _junk(plan.junk, client),
    )


async def _all_listed(plan: ViewPlan, client: httpx.AsyncClient) -> None:
    """Wait until the gateway lists every service, and knows that there are no more.

    Raises:
        FleetFailed: it does not.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (
        len((await client.get(VIEWS[1])).json()) < plan.nodes
        or not (await client.get("/ready")).json()["settled"]
    ):
        if time.monotonic() > deadline:
            raise FleetFailed(f"not all services are listed within {PATIENCE_SECONDS:.0f} s")
        await asyncio.sleep(front.POLL_SECONDS)


async def _looking(
    client: httpx.AsyncClient, took_by: dict[str, list[int]], path: str, gap: float
) -> None:
    """Get `path` again and again, and note how long that took, until cancelled."""
    due = time.monotonic()
    while True:
        due += gap
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        took, _ = await _timed(client, path)
        took_by[path].append(took)


async def _timed(client: httpx.AsyncClient, path: str) -> tuple[int, httpx.Response]:
    began = time.perf_counter_ns()
    answer = await client.get(path)
    if answer.status_code != 200:
        raise FleetFailed(f"GET {path}: {answer.status_code}: {answer.text[:200]}")
    return time.perf_counter_ns() - began, answer


async def _junk(names: int, client: httpx.AsyncClient) -> Junk:
    """Ask for names that nobody serves; return what that did to the metrics."""
    before = _series((await _timed(client, METRICS))[1])

    async def ask(number: int) -> None:
        body = chat.body(f"junk-{number:x}", 0, stream=False)
        headers = {"Content-Type": "application/json"}
        answer = await client.post(front.PATH, content=body, headers=headers)
        if answer.status_code != 404:
            raise FleetFailed(f"a name that nobody serves was answered with {answer.status_code}")

    await _in_parts(ask, names)
    took, answer = await _timed(client, METRICS)
    return Junk(names, before, _series(answer), len(answer.content), took / 1e6)


async def _in_parts(ask: Callable[[int], Awaitable[None]], count: int) -> None:
    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(ask(one) for one in range(start, min(start + AT_ONCE, count))))


def _series(answer: httpx.Response) -> int:
    """Return how many series a scrape holds."""
    return sum(bool(line) and not line.startswith("#") for line in answer.text.splitlines())
