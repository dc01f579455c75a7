"""What is shown is of yesterday and today, and is what the store holds."""

import asyncio

import pytest

from control import measurements as module
from control.measured import DAY_S, shown_days
from control.measurements import Measurements
from control.store import usage

pytestmark = pytest.mark.anyio

REPORTER = "a" * 32


@pytest.fixture
def day():
    return [20_000]


@pytest.fixture
def measurements(store, day):
    return Measurements(store.writer, lambda: day[0] * DAY_S + 5.0, {})


async def test_yesterday_is_shown_and_the_day_before_is_not(measurements, day):
    for sequence in (1, 2, 3):
        await measurements.add(REPORTER, sequence, [(("h/a", "m"), {"answered": sequence})])
        day[0] += 1
    day[0] -= 1

    assert measurements.of("h/a") == {"answered": 5}
    assert measurements.since == 20_001 * DAY_S


async def test_what_was_stored_is_shown_after_a_restart(measurements, store, day):
    await measurements.add(REPORTER, 1, [(("h/a", "m"), {"answered": 1})])
    await measurements.add(REPORTER, 2, [(("h/a", "n"), {"answered": 2})])
    stored = await store.writer.run(usage.totals, shown_days(day[0] * DAY_S), 9)
    restarted = Measurements(store.writer, lambda: day[0] * DAY_S, stored)

    assert restarted.of("h/a") == measurements.of("h/a") == {"answered": 3}


async def days_with_totals(store):
    found = await store.writer.run(usage.totals, range(19_000, 30_000), 9)
    return [day for day, services in found.items() if services]


async def test_old_days_leave_the_store(measurements, store, day):
    for sequence, later in enumerate((0, 90, 1, 1), 1):
        day[0] += later
        await measurements.add(REPORTER, sequence, [(("h/a", "m"), {"answered": 1})])

    assert await days_with_totals(store) == [20_090, 20_091, 20_092]


async def test_a_clock_that_is_wrong_for_once_takes_no_old_days_along(measurements, store, day):
    for sequence, today in enumerate((20_000, 29_000, 20_001), 1):
        day[0] = today
        # What comes again counts once, whatever the clock said.
        for number in (sequence - 1 or 1, sequence):
            await measurements.add(REPORTER, number, [(("h/a", "m"), {"answered": 1})])

    found = await store.writer.run(usage.totals, range(20_000, 29_001), 9)
    assert await days_with_totals(store) == [20_000, 20_001, 29_000]
    assert all(found[day]["h/a"] == {"answered": 1} for day in (20_000, 20_001, 29_000))


async def test_a_caller_that_leaves_while_the_disk_works_changes_nothing(measurements):
    adding = asyncio.ensure_future(measurements.add(REPORTER, 1, [(("h/a", "m"), {"answered": 1})]))
    await asyncio.sleep(0)
    adding.cancel()
    await asyncio.wait(measurements._adding)

    assert measurements.of("h/a") == {"answered": 1}


async def test_of_too_many_services_the_first_are_shown_and_all_are_stored(
    measurements, store, monkeypatch
):
    monkeypatch.setattr(module, "MAX_SHOWN", 2)
    batch = [((f"h/{name}", "m"), {"answered": 1}) for name in "abc"]
    await measurements.add(REPORTER, 1, batch)
    await measurements.add(REPORTER, 2, batch)

    assert [measurements.of(f"h/{name}")["answered"] for name in "abc"] == [2, 2, 0]
    assert len((await store.writer.run(usage.totals, range(20_000, 20_001), 9))[20_000]) == 3
