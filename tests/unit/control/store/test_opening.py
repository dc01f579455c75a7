import os
import sqlite3
import stat
import subprocess
import sys

import pytest

from control.store.opening import StoreError, open_store
from control.store.schema import MIGRATIONS

SECOND = """
import sys
from pathlib import Path
from control.store.opening import open_store
open_store(Path(sys.argv[1]))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "geniehive.sqlite3"


def reopened(path):
    store = open_store(path)
    store.close()
    return store


def test_a_new_store_is_made_with_an_identity_and_a_secret_of_its_own(path, tmp_path):
    first, other = reopened(path), reopened(tmp_path / "other.sqlite3")

    assert first.hosts == []
    assert len(first.key_hash_secret) == 32
    assert first.store_id != other.store_id
    assert first.key_hash_secret != other.key_hash_secret


def test_identity_and_secret_stay(path):
    first, second = reopened(path), reopened(path)

    assert first.store_id == second.store_id
    assert first.key_hash_secret == second.key_hash_secret


def test_the_secret_is_not_in_what_a_traceback_shows(path):
    store = reopened(path)

    assert store.store_id in repr(store)
    assert "key_hash_secret" not in repr(store)


def test_only_the_owner_can_read_it(path):
    reopened(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def refused(path, **options):
    with pytest.raises(StoreError) as raised:
        open_store(path, **options)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_a_second_control_on_the_same_file_is_refused(path):
    store = open_store(path)
    # In a process of its own, since a lock belongs to a process.
    found = subprocess.run(
        [sys.executable, "-c", SECOND, str(path)], capture_output=True, text=True, check=False
    )
    store.close()

    assert f"another control uses it (pid {os.getpid()})" in found.stderr
    assert reopened(path).store_id == store.store_id


def test_garbage_is_refused_and_left_as_it_is(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database " * 1_000)

    assert "not a database" in refused(path)
    assert path.read_bytes() == b"not a database " * 1_000


def test_a_directory_is_refused(path):
    path.mkdir(parents=True)

    assert "directory" in refused(path)


def test_a_parent_that_is_a_file_is_refused(path):
    path.parent.write_text("")

    assert "exists" in refused(path) or "directory" in refused(path)


def test_a_newer_schema_is_refused(path):
    reopened(path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    database.close()

    assert f"schema 99, this one knows {len(MIGRATIONS)}" in refused(path)


def test_a_database_of_another_program_is_refused_and_left_as_it_is(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE hosts (host_id TEXT PRIMARY KEY, payload TEXT)")
    database.close()

    assert "not a database of this GenieHive" in refused(path)
    with sqlite3.connect(path) as database:
        tables = database.execute("SELECT name FROM sqlite_master").fetchall()
    database.close()
    assert ("meta",) not in tables


def test_a_locked_database_is_refused(path):
    reopened(path)
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")

    assert "locked by another program" in refused(path, busy_timeout_ms=50)
    other.rollback()
    other.close()


def test_a_damaged_entry_is_refused(path):
    reopened(path)
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO hosts VALUES ('h1', 1, '{', 0.0)")
    database.close()

    assert "cannot be read" in refused(path)


def test_after_a_refusal_the_file_is_free_again(path):
    reopened(path)
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    refused(path, busy_timeout_ms=50)
    other.rollback()
    other.close()

    reopened(path)
