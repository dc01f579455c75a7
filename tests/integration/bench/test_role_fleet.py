"""A small fleet with a few roles is measured with everything that a large one has."""

import sys

import pytest

from bench import front, role_fleet
from bench.role_figures import RolePlan

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the bench reads /proc"),
]


async def test_roles_are_compiled_change_and_are_read_again(one_loop, monkeypatch):
    monkeypatch.setattr(role_fleet, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(front, "WARMUP_SECONDS", 0.2)
    plan = RolePlan(nodes=8, roles=3, mixed=True, changes=4, seconds=0.5, interval=0.5, rest=0.3)

    found = await role_fleet.measure(plan)

    followed, served = found.followed, found.served
    assert (found.nodes, found.roles, found.mixed) == (8, 3, True)
    assert 0 < followed.candidates < 24
    assert followed.start.cpu_s > 0
    assert followed.start.calls.count > 0
    assert followed.start.beats.count > 0
    assert followed.reload.seconds > 0
    assert followed.changes.count == 4
    assert followed.bytes_per_change > 0
    assert served.quiet.count > 0
    assert served.changing.count > 0
    assert served.reloading.count > 0
