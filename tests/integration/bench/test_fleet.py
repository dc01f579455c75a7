"""A small fleet is measured with everything that a large one has."""

import sys

import pytest

from bench.fleet import measure
from bench.fleet_figures import Plan

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the bench reads /proc"),
]


async def test_a_fleet_registers_beats_changes_and_comes_back(one_loop):
    plan = Plan(
        nodes=12,
        services=2,
        seconds=1.0,
        changes=4,
        interval=0.5,
        per_channel=5,
        down=0.2,
        after=0.2,
    )

    found = await measure(plan)

    assert (found.nodes, found.services, found.changes.count) == (12, 24, 4)
    assert found.steady.beats_per_second > 0
    assert found.steady.cpu_share > 0
    assert 0 < found.changes.p50_ms <= found.changes.p99_ms <= found.changes.max_ms
    assert 1 <= found.comeback.fullest_second <= 12
    assert found.comeback.marked_down == 0
