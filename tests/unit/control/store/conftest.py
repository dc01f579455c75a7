import pytest

from control.store.opening import open_store


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path / "state" / "geniehive.sqlite3")
    yield store
    store.close()
