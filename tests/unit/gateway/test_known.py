"""Control is asked at most once a second, by all together, and only changes are taken in."""

import asyncio

import pytest

from control.api.errors import ControlUnavailable
from gateway.known import (
    MAX_AGE_SECONDS,
    MAX_LATE_SECONDS,
    TOLD_SECONDS,
    Knowledge,
    service_lines,
)
from gateway.steps import finished
from tests.unit.gateway.stub_control import (
    AWAY,
    StubControl,
    told_asset,
    told_host,
    told_role,
    told_service,
)

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def stub():
    return StubControl(
        [told_host("h")],
        [told_service(f"h/{n:03}", told_asset("m")) for n in range(250)],
        [told_role("mentor")],
    )


async def settle():
    """Let everything that runs come to its end: nothing here waits for a clock."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_all_who_ask_at_once_get_the_same_answer():
    control = stub()
    knowledge = Knowledge(control, Clock())
    first, second = await asyncio.gather(knowledge.now(), knowledge.now())

    assert first is second
    assert (len(first.hosts), len(first.services), len(first.roles)) == (1, 250, 1)
    assert len(control.asked) == 5  # three pages of services


async def test_within_a_second_nobody_is_asked_again():
    control, clock = stub(), Clock()
    knowledge = Knowledge(control, clock)
    first = await knowledge.now()
    clock.now += MAX_AGE_SECONDS
    assert await knowledge.now() is first
    await settle()
    assert len(control.asked) == 5


async def test_up_to_two_seconds_nobody_waits_and_control_is_asked_meanwhile():
    control, clock = stub(), Clock()
    knowledge = Knowledge(control, clock)
    first = await knowledge.now()
    clock.now += MAX_AGE_SECONDS + 0.1
    assert await knowledge.now() is first
    await settle()
    assert len(control.asked) == 10
    second = await knowledge.now()
    assert second is not first
    clock.now += TOLD_SECONDS + 0.1
    assert await knowledge.now() is not second


async def test_what_did_not_change_is_kept_with_its_json():
    control, clock = stub(), Clock()
    knowledge = Knowledge(control, clock)
    first = await knowledge.now()
    lines = finished(service_lines(first))
    control.held["services"][7].in_flight = 1
    clock.now += TOLD_SECONDS + 0.1
    second = await knowledge.now()

    changed = [name for name in first.services if second.services[name] is not first.services[name]]
    assert changed == ["h/007"]
    assert [a is b for a, b in zip(lines, finished(service_lines(second)), strict=True)].count(
        False
    ) == 1


async def test_a_control_that_is_away_is_not_asked_by_each():
    control, clock = stub(), Clock()
    control.refusal = AWAY
    knowledge = Knowledge(control, clock)
    for _ in range(3):
        with pytest.raises(ControlUnavailable):
            await knowledge.now()

    assert len(control.asked) == 3  # hosts, services and roles, once
    control.refusal = None
    clock.now += 2
    assert (await knowledge.now()).hosts


async def test_who_does_not_wait_longer_leaves_the_answer_to_others():
    control = stub()
    control.open.clear()
    knowledge = Knowledge(control, Clock())
    with pytest.raises(ControlUnavailable):
        await knowledge.now(0.01)
    control.open.set()

    assert (await knowledge.now()).hosts
    assert len(control.asked) == 5


async def test_what_was_told_a_while_ago_will_do_where_control_is_slow():
    control, clock = stub(), Clock()
    knowledge = Knowledge(control, clock)
    first = await knowledge.now()
    control.open.clear()
    clock.now += MAX_LATE_SECONDS
    assert await knowledge.now(0.01) is first
    clock.now += 0.1
    with pytest.raises(ControlUnavailable):
        await knowledge.now(0.01)
    control.open.set()
    assert await knowledge.now() is not first
