"""Fleets of simulated nodes, each measured in a process of its own."""

import asyncio
import json
import subprocess
import sys
from dataclasses import asdict
from functools import cache
from typing import Any

from bench.fleet import measure
from bench.fleet_figures import Plan

PATIENCE_S = 600.0
SMALL = Plan(nodes=60, seconds=1.5, changes=5, interval=0.5, down=0.5, after=0.5)  # for tests


@cache
def measured(plan: Plan) -> dict[str, Any]:
    """Return what a fleet showed, as `Figures` in JSON; the same fleet is not asked twice."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.fleet", json.dumps(asdict(plan))],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(Plan(**json.loads(sys.argv[1])))).document()))
