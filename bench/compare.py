"""The comparison: every target in turn, round after round, and nothing else awake meanwhile."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psutil

from bench.actor import Actor
from bench.cases import JSON_1, Case
from bench.outcome import Outcome
from bench.results import Results, Row, fleet, this_machine
from bench.role_figures import figures as role_figures
from bench.stage import PATH, NotReady, Say, Staged, stage
from bench.targets import KEY, MODEL, Target
from bench.view_figures import figures as view_figures

SETTLE_SECONDS = 20.0
GOOD_IN_A_ROW = 5
LOAD_SECONDS = 30.0  # on top of what a run takes, for its start and a slow last answer
FLEET_SECONDS = 400.0
MIXED_ROLES = 20
BODY_BYTES = 900


def compare(
    targets: Sequence[Target], rounds: int, limit: float, say: Say, *, quick: bool
) -> Results:
    """Measure `targets` and return what was found.

    limit: seconds after which no further round begins.
    """
    began, stolen = time.monotonic(), _steal()
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    rows: list[Row] = []
    with stage(targets, say) as found:
        for number in range(1, rounds + 1):
            round_began = time.monotonic()
            # There and back again, so that nobody always follows the same one.
            for one in found.staged if number % 2 else reversed(found.staged):
                try:
                    for row in _turn(one, found.engine, number, quick=quick):
                        rows.append(row)
                except NotReady as error:
                    say(f"{one.target.name} is left out of round {number}: {error}")
                    found.skipped[f"{one.target.name}, round {number}"] = str(error)
            now = time.monotonic()
            say(f"round {number} of {rounds}: {now - round_began:.0f} s")
            if number < rounds and 2 * now - round_began - began > limit:
                say(f"no time for more rounds within {limit:.0f} s")
                break
    return Results(
        when=when,
        machine=this_machine(),
        steal=round(_steal() - stolen, 2),
        versions={one.name: one.version() for one in targets if one.name in found.ready},
        ready=found.ready,
        skipped=found.skipped,
        rows=tuple(rows),
    )


def _turn(one: Staged, engine: Actor, number: int, *, quick: bool) -> Iterator[Row]:
    """Measure a target at each of its cases.

    Raises:
        NotReady: it does not answer as it should; what was measured before stands.
    """
    engine.spread(one.cores.crew)
    one.thaw()
    try:
        drained = one.actor.drain()
        one.wait(SETTLE_SECONDS, GOOD_IN_A_ROW)
        for case in one.target.cases:
            found = _measure(one, case, quick=quick)
            yield Row(one.target.name, case.name, number, drained, found)
            drained = one.actor.drain() and engine.drain()
    finally:
        one.freeze()


def _measure(one: Staged, case: Case, *, quick: bool) -> Outcome:
    """Run the load generator as a process of its own.

    Raises:
        NotReady: it could not measure.
    """
    command = [
        *(sys.executable, "-P", "-m", "bench", "load", f"http://127.0.0.1:{one.port}{PATH}"),
        *("--json", "--key", KEY, "--model", MODEL, "--body-bytes", str(BODY_BYTES)),
        *("--pid", str(one.actor.pid), *case.arguments(quick=quick)),
    ]
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, one.cores.crew)
    try:
        bound = case.seconds + case.warmup + LOAD_SECONDS
        done = subprocess.run(command, capture_output=True, text=True, timeout=bound, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotReady(f"{case.name} did not end") from error
    finally:
        os.sched_setaffinity(0, own)
    if done.returncode != 0:
        raise NotReady(f"{case.name}: {done.stderr.strip()[-200:]}")
    content = json.loads(done.stdout)
    del content["schema"]
    # Only one case shows its curve; the others would fill the file.
    curve = tuple(content.pop("curve")) if case is JSON_1 else ()
    return Outcome(**{**content, "curve": curve})


def with_fleet(results: Results, nodes: int, say: Say) -> Results:
    """Return `results` with what so many nodes cost control, beating every five seconds."""
    name = f"control with {nodes:,} nodes"
    say(name)
    options = ("--nodes", str(nodes), "--beats", str(max(500, nodes // 5)))
    try:
        found = _told("fleet", *options, "--processes", str(1 + nodes // 2_500))
    except NotReady as error:
        return _without(results, name, str(error), say)
    return replace(results, fleets=(*results.fleets, fleet(found)))


def with_roles(results: Results, roles: int, say: Say) -> Results:
    """Return `results` with what roles cost, open to all and as people write them."""
    for count, kind in ((roles, ()), (MIXED_ROLES, ("--mixed",))):
        name = " ".join([f"{count:,} roles", *kind])
        say(name)
        try:
            found = _told("roles", "--roles", str(count), *kind)
        except NotReady as error:
            results = _without(results, name, str(error), say)
        else:
            results = replace(results, roles=(*results.roles, role_figures(found)))
    return results


def with_views(results: Results, nodes: int, say: Say) -> Results:
    """Return `results` with what it costs to list so many nodes."""
    name = f"views of {nodes:,} nodes"
    say(name)
    try:
        found = _told("views", "--nodes", str(nodes))
    except NotReady as error:
        return _without(results, name, str(error), say)
    return replace(results, views=(*results.views, view_figures(found)))


def _told(*command: str) -> dict[str, Any]:
    """Return what a command of the bench tells as a document.

    In a process of its own: an asyncio client of gRPC does not survive its event loop.

    Raises:
        NotReady: it did not get as far as that.
    """
    whole = (sys.executable, "-P", "-m", "bench", *command, "--json")
    try:
        done = subprocess.run(
            whole, capture_output=True, text=True, timeout=FLEET_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotReady(f"not measured within {FLEET_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise NotReady(done.stderr.strip()[-200:])
    content: dict[str, Any] = json.loads(done.stdout)
    del content["schema"]
    return content


def _without(results: Results, name: str, why: str, say: Say) -> Results:
    say(f"skipped: {name}: {why}")
    return replace(results, skipped={**results.skipped, name: why})


def _steal() -> float:
    return float(getattr(psutil.cpu_times(), "steal", 0.0))
