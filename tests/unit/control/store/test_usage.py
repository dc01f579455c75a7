import sqlite3

import pytest

from control.store import usage
from control.store.opening import open_store
from control.store.usage import MAX_TOTAL

pytestmark = pytest.mark.anyio

PAIR = ("h/a", "m")


def batch(**counts):
    return [(PAIR, counts)]


async def test_a_batch_counts_once_however_often_it_comes(store):
    added = [
        await store.writer.run(usage.add, "r1", sequence, 20_000, batch(answered=3))
        for sequence in (1, 1, 2, 2, 1)
    ]

    assert added == [True, False, True, False, False]
    assert await store.writer.run(usage.latest, 1) == [(20_000, "h/a", "answered", 6)]


async def test_reporters_are_kept_apart(store):
    for reporter in ("r1", "r2"):
        await store.writer.run(usage.add, reporter, 1, 20_000, batch(answered=1))

    assert await store.writer.run(usage.latest, 1) == [(20_000, "h/a", "answered", 2)]


async def test_the_place_of_a_reporter_is_not_kept_without_its_counts(store):
    def add_and_fail():
        usage.add("r1", 1, 20_000, batch(answered=1))
        raise LookupError

    with pytest.raises(LookupError):
        await store.writer.run(add_and_fail)

    assert await store.writer.run(usage.add, "r1", 1, 20_000, batch(answered=1))


async def test_the_latest_days_are_counted_from_the_last_one_with_totals(store):
    for sequence, day in enumerate((20_000, 20_005, 20_006), 1):
        await store.writer.run(usage.add, "r1", sequence, day, batch(answered=sequence))

    found = await store.writer.run(usage.latest, 2)
    assert found == [(20_005, "h/a", "answered", 2), (20_006, "h/a", "answered", 3)]


async def test_old_totals_and_silent_reporters_are_forgotten(store):
    await store.writer.run(usage.add, "old", 9, 20_000, batch(answered=1))
    await store.writer.run(usage.add, "new", 1, 20_001, batch(answered=2))
    await store.writer.run(usage.forget, 20_001)

    assert await store.writer.run(usage.latest, 99) == [(20_001, "h/a", "answered", 2)]
    assert await store.writer.run(usage.add, "old", 1, 20_001, batch(answered=4))
    assert not await store.writer.run(usage.add, "new", 1, 20_001, batch(answered=4))


async def test_a_total_stays_an_integer(store):
    for sequence in (1, 2, 3):
        await store.writer.run(usage.add, "r1", sequence, 20_000, batch(answered=MAX_TOTAL - 1))

    assert await store.writer.run(usage.latest, 1) == [(20_000, "h/a", "answered", MAX_TOTAL)]


def test_a_store_tells_what_it_has_when_it_is_opened(tmp_path):
    path = tmp_path / "g.sqlite3"
    store = open_store(path)
    assert store.usage == []
    store.close()
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO usage VALUES (20000, 'h/a', 'm', 'answered', 5)")
    database.close()
    store = open_store(path)
    store.close()

    assert store.usage == [(20_000, "h/a", "answered", 5)]


def test_a_store_of_the_first_schema_gets_its_tables(tmp_path, monkeypatch):
    from control.store import schema

    path = tmp_path / "g.sqlite3"
    with monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        before = schema_of(path, older)
    after = open_store(path)
    after.close()

    assert after.store_id == before
    assert after.usage == []


def schema_of(path, older):
    """Make a store as the GenieHive before this one did; return its identity."""
    older.setattr(usage, "latest", lambda days: [])
    store = open_store(path)
    store.close()
    return store.store_id
