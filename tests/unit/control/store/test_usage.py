import sqlite3

import pytest

from control.measured import DAY_S
from control.store import benchmarks, drains, usage
from control.store.opening import open_store
from control.store.usage import MAX_TOTAL

pytestmark = pytest.mark.anyio

PAIR = ("h/a", "m")


def batch(**counts):
    return [(PAIR, counts)]


async def totals(store, first=20_000, last=20_009):
    """Return (day, service, measure, count) of all totals of the days."""
    found = await store.writer.run(usage.totals, range(first, last + 1), 9)
    return [
        (day, service_id, *one)
        for day, services in found.items()
        for service_id, counts in services.items()
        for one in counts.items()
    ]


async def test_a_batch_counts_once_however_often_it_comes(store):
    added = [
        await store.writer.run(usage.add, "r1", sequence, 20_000, batch(answered=3))
        for sequence in (1, 1, 2, 2, 1)
    ]

    assert added == [True, False, True, False, False]
    assert await totals(store) == [(20_000, "h/a", "answered", 6)]


async def test_reporters_are_kept_apart(store):
    for reporter in ("r1", "r2"):
        await store.writer.run(usage.add, reporter, 1, 20_000, batch(answered=1))

    assert await totals(store) == [(20_000, "h/a", "answered", 2)]


async def test_the_place_of_a_reporter_is_not_kept_without_its_counts(store):
    def add_and_fail():
        usage.add("r1", 1, 20_000, batch(answered=1))
        raise LookupError

    with pytest.raises(LookupError):
        await store.writer.run(add_and_fail)

    assert await store.writer.run(usage.add, "r1", 1, 20_000, batch(answered=1))


async def test_totals_are_of_the_days_asked_for_and_over_all_assets(store):
    for sequence, day in enumerate((20_000, 20_005, 20_006, 20_006, 20_007), 1):
        increments = [(("h/a", f"m{sequence}"), {"answered": sequence})]
        await store.writer.run(usage.add, "r1", sequence, day, increments)

    assert await totals(store, 20_005, 20_006) == [
        (20_005, "h/a", "answered", 2),
        (20_006, "h/a", "answered", 3 + 4),
    ]


async def test_of_too_many_services_the_first_are_told_whole(store):
    increments = [((f"h/{name}", asset), {"answered": 1}) for name in "cab" for asset in "mn"]
    await store.writer.run(usage.add, "r1", 1, 20_000, increments)

    found = await store.writer.run(usage.totals, range(20_000, 20_001), 2)
    assert found == {20_000: {"h/a": {"answered": 2}, "h/b": {"answered": 2}}}


async def test_old_totals_and_silent_reporters_are_forgotten(store):
    await store.writer.run(usage.add, "old", 9, 20_000, batch(answered=1))
    await store.writer.run(usage.add, "new", 1, 20_001, batch(answered=2))
    await store.writer.run(usage.forget, 20_001, 0)

    assert await totals(store) == [(20_001, "h/a", "answered", 2)]
    assert await store.writer.run(usage.add, "old", 1, 20_001, batch(answered=4))
    assert not await store.writer.run(usage.add, "new", 1, 20_001, batch(answered=4))


async def test_a_total_stays_an_integer(store):
    for sequence in (1, 2, 3):
        await store.writer.run(usage.add, "r1", sequence, 20_000, batch(answered=MAX_TOTAL - 1))

    assert await totals(store) == [(20_000, "h/a", "answered", MAX_TOTAL)]


def test_a_store_tells_what_is_shown_when_it_is_opened(tmp_path):
    path = tmp_path / "g.sqlite3"

    def shown(day):
        store = open_store(path, wall_time=lambda: day * DAY_S + 5.0)
        store.close()
        return store.usage

    assert shown(20_001) == {20_000: {}, 20_001: {}}
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO usage VALUES (20000, 'h/a', 'm', 'answered', 5)")
        # Of a time when the clock was wrong.
        database.execute("INSERT INTO usage VALUES (30000, 'h/a', 'm', 'answered', 7)")
    database.close()

    assert shown(20_001) == {20_000: {"h/a": {"answered": 5}}, 20_001: {}}
    assert shown(20_002) == {20_001: {}, 20_002: {}}


def test_a_store_of_the_first_schema_gets_its_tables(tmp_path, monkeypatch):
    from control.store import schema

    path = tmp_path / "g.sqlite3"
    with monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        before = schema_of(path, older)
    after = open_store(path)
    after.close()

    assert after.store_id == before
    assert not any(after.usage.values())
    assert after.runs == []


def schema_of(path, older):
    """Make a store as the GenieHive before this one did; return its identity."""
    older.setattr(usage, "totals", lambda days, most: {})
    older.setattr(benchmarks, "load", list)
    older.setattr(drains, "load", list)
    store = open_store(path)
    store.close()
    return store.store_id
