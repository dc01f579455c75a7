import pytest

from control.store.opening import open_store
from tests.unit.control.serving import serving


@pytest.fixture
def store(tmp_path):
    """An open store, new and empty."""
    store = open_store(tmp_path / "state" / "geniehive.sqlite3")
    yield store
    store.close()


@pytest.fixture
async def control(one_loop):
    """A control that lets everybody do everything."""
    async with serving() as running:
        yield running
