import sqlite3

import pytest

from control.store import schema
from control.store.database import database
from control.store.opening import open_store


def test_an_older_database_is_brought_up_to_date_and_keeps_its_facts(tmp_path, monkeypatch):
    path = tmp_path / "g.sqlite3"
    before = open_store(path)
    before.close()

    def add_column():
        database.execute_sql("ALTER TABLE hosts ADD COLUMN note TEXT")

    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, add_column])
    after = open_store(path)
    after.close()

    assert after.store_id == before.store_id
    assert columns(path, "hosts") >= {"host_id", "note"}
    open_store(path).close()  # the step is not done twice


def test_a_failing_step_leaves_the_old_schema(tmp_path, monkeypatch):
    path = tmp_path / "g.sqlite3"
    open_store(path).close()

    def half():
        database.execute_sql("ALTER TABLE hosts ADD COLUMN note TEXT")
        raise RuntimeError("power cut")

    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, half])
    with pytest.raises(RuntimeError):
        open_store(path)

    assert "note" not in columns(path, "hosts")


def columns(path, table):
    connection = sqlite3.connect(path)
    try:
        return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    finally:
        connection.close()
