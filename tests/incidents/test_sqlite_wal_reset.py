"""SQLite 3.7.0 to 3.51.2: two connections that write or checkpoint at once corrupt the file."""

import sqlite3
import subprocess
import sys

from control.store.database import SAFE_SQLITE, sqlite_warning
from control.store.opening import open_store


def test_an_old_library_is_named_and_only_one_process_writes(tmp_path):
    assert (sqlite_warning() is None) == (sqlite3.sqlite_version_info >= SAFE_SQLITE)
    path = tmp_path / "geniehive.sqlite3"
    store = open_store(path)
    second = (
        "import sys; from pathlib import Path; from control.store.opening import open_store;"
        "open_store(Path(sys.argv[1]))"
    )
    try:
        ended = subprocess.run(
            [sys.executable, "-c", second, str(path)], capture_output=True, text=True, check=False
        )
    finally:
        store.close()

    assert "another control uses it" in ended.stderr
