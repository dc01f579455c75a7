"""jentic/jentic-one#529: a reader that began to write was told at once that all is locked."""

import sqlite3
from contextlib import closing

import pytest

from control.store.database import begin_write, database
from control.store.opening import open_store
from control.store.schema import MetaRow


def test_who_will_write_says_so_at_the_beginning(tmp_path):
    path = tmp_path / "geniehive.sqlite3"
    store = open_store(path)
    try:
        with closing(sqlite3.connect(path, timeout=0)) as other, database.connection_context():
            with begin_write():
                assert MetaRow.select().count()
                with pytest.raises(sqlite3.OperationalError):  # the other one waits, not we
                    other.execute("BEGIN IMMEDIATE")
                MetaRow.insert(key="k", value="v").execute()
            assert other.execute("SELECT value FROM meta WHERE key = 'k'").fetchone() == ("v",)
    finally:
        store.close()
