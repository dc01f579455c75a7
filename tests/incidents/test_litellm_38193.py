"""BerriAI/litellm#38193: writes that failed were queued, and memory grew with each."""

import threading

import pytest

from control.api.errors import StorageUnavailable
from control.store.database import MAX_GROUP, MAX_WAITING
from control.store.opening import open_store

pytestmark = pytest.mark.anyio


def begin(jobs):
    """Start each, and do not wait for the disk."""
    for one in jobs:
        one.send(None)


async def test_a_disk_that_takes_nothing_makes_no_queue_without_end(tmp_path):
    store = open_store(tmp_path / "geniehive.sqlite3")
    stuck = threading.Event()
    waiting = [store.writer.run(stuck.wait) for _ in range(MAX_WAITING + 2 * MAX_GROUP)]
    try:
        with pytest.raises(StorageUnavailable):
            begin(waiting)
    finally:
        stuck.set()
        for one in waiting:
            one.close()
        store.close()
