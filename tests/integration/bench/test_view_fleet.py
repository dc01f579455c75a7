"""A small cluster is looked at, with everything that a large one has."""

import sys

import pytest

from bench import front, view_fleet
from bench.view_figures import ViewPlan, figures

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the bench reads /proc"),
]


async def test_views_are_timed_beside_requests(one_loop, monkeypatch):
    monkeypatch.setattr(front, "WARMUP_SECONDS", 0.2)
    plan = ViewPlan(nodes=6, roles=2, seconds=0.5, junk=50, interval=0.5, grace=0.5)

    found = await view_fleet.measure(plan)

    assert set(found.looks) == set(view_fleet.VIEWS)
    assert all(times.count for times in found.looks.values())
    assert all(found.first.values())
    assert found.lag.count
    assert found.quiet.count
    assert found.watched.count
    assert found.junk.series_after - found.junk.series_before <= 10
    assert figures(found.document()) == found
