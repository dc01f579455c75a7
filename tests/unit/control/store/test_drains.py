import pytest

from control.drains import Drain
from control.store import drains, schema
from control.store.opening import open_store

pytestmark = pytest.mark.anyio


async def test_what_is_drained_is_there_after_a_restart(tmp_path):
    path = tmp_path / "g.sqlite3"
    store = open_store(path)
    await store.writer.run(drains.add, Drain("h2", 5.0, "static:1f3a9c02"))
    await store.writer.run(drains.add, Drain("h1/a", 6.5, "anyone"))
    await store.writer.run(drains.add, Drain("h1/a", 9.0, "somebody"))
    await store.writer.run(drains.add, Drain("h3", 7.0, "anyone"))
    await store.writer.run(drains.remove, "h3")
    await store.writer.run(drains.remove, "h4")
    store.close()

    again = open_store(path)
    again.close()
    assert again.drains == [Drain("h1/a", 6.5, "anyone"), Drain("h2", 5.0, "static:1f3a9c02")]


async def test_a_database_from_before_there_were_drains_holds_none(tmp_path, monkeypatch):
    path = tmp_path / "g.sqlite3"
    with monkeypatch.context() as old:
        old.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:3])
        old.setattr(drains, "load", list)
        open_store(path).close()
    store = open_store(path)
    await store.writer.run(drains.add, Drain("h1", 1.0, "anyone"))
    store.close()
    assert store.drains == []
