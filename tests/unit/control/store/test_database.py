import asyncio
import sqlite3
import threading

import peewee
import pytest

from control.api.errors import StorageUnavailable
from control.store import database as db
from control.store.database import database
from control.store.opening import open_store
from control.store.schema import MetaRow

pytestmark = pytest.mark.anyio


def put(key, value="v"):
    MetaRow.insert(key=key, value=value).execute()
    return key


def keys():
    return {row.key for row in MetaRow.select()}


def put_and_fail(key):
    put(key)
    raise LookupError(key)


async def test_a_job_returns_its_result_and_runs_on_the_one_writer_thread(store):
    names = {await store.writer.run(lambda: threading.current_thread().name) for _ in range(5)}

    assert names == {"store-writer"}
    assert await store.writer.run(put, "a") == "a"


async def test_the_pragmas_are_set(store):
    def settings():
        return {name: getattr(database, name) for name in ("journal_mode", "synchronous")} | {
            "foreign_keys": database.foreign_keys,
            "busy_timeout": database.pragma("busy_timeout"),
        }

    assert await store.writer.run(settings) == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5_000,
    }


class TestAGroup:
    """Jobs that wait while another runs share a commit."""

    @pytest.fixture
    async def held(self, store):
        running, gate = threading.Event(), threading.Event()

        def block():
            running.set()
            gate.wait()

        blocking = asyncio.ensure_future(store.writer.run(block))
        await asyncio.get_running_loop().run_in_executor(None, running.wait)
        yield gate
        gate.set()
        await blocking

    async def test_is_one_commit(self, store, held, monkeypatch):
        commits = []
        commit = database.commit
        monkeypatch.setattr(database, "commit", lambda: commits.append(1) or commit())
        jobs = [asyncio.ensure_future(store.writer.run(put, f"k{n}")) for n in range(20)]
        await asyncio.sleep(0)
        held.set()
        await asyncio.gather(*jobs)

        assert len(commits) <= 2
        assert {f"k{n}" for n in range(20)} <= await store.writer.run(keys)

    async def test_loses_only_the_job_that_fails(self, store, held):
        jobs = [
            asyncio.ensure_future(job)
            for job in (
                store.writer.run(put, "before"),
                store.writer.run(put_and_fail, "bad"),
                store.writer.run(put, "before"),  # breaks the primary key
                store.writer.run(put, "after"),
            )
        ]
        await asyncio.sleep(0)
        held.set()
        results = await asyncio.gather(*jobs, return_exceptions=True)

        assert [type(one) for one in results] == [str, LookupError, StorageUnavailable, str]
        stored = await store.writer.run(keys)
        assert {"before", "after"} <= stored
        assert "bad" not in stored

    async def test_does_the_work_of_a_caller_that_went_away(self, store, held):
        job = asyncio.ensure_future(store.writer.run(put, "orphan"))
        await asyncio.sleep(0)
        job.cancel()
        held.set()

        assert "orphan" in await store.writer.run(keys)


async def test_a_queue_that_is_full_refuses_more(store, monkeypatch):
    monkeypatch.setattr(db, "MAX_WAITING", 2)
    writer = db.Writer()
    gate = threading.Event()
    running = threading.Event()

    def block():
        running.set()
        gate.wait()

    jobs = [asyncio.ensure_future(writer.run(block))]
    await asyncio.get_running_loop().run_in_executor(None, running.wait)
    jobs += [asyncio.ensure_future(writer.run(keys)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(StorageUnavailable, match="too slow"):
        await writer.run(keys)
    gate.set()
    await asyncio.gather(*jobs)
    writer.close()


@pytest.mark.parametrize("waiting", [0, 2], ids=["queue-empty", "queue-full"])
async def test_closing_waits_for_a_stuck_disk_only_so_long(store, monkeypatch, caplog, waiting):
    monkeypatch.setattr(db, "MAX_WAITING", 2)
    writer = db.Writer()
    gate, running = threading.Event(), threading.Event()

    def block():
        running.set()
        gate.wait()

    jobs = [asyncio.ensure_future(writer.run(block))]
    await asyncio.get_running_loop().run_in_executor(None, running.wait)
    jobs += [asyncio.ensure_future(writer.run(keys)) for _ in range(waiting)]
    await asyncio.sleep(0)
    writer.close(patience=0.01)

    assert "the database does not answer" in caplog.text
    gate.set()
    await asyncio.gather(*jobs)
    writer.close()


async def test_a_locked_database_is_storage_unavailable_until_it_is_free(tmp_path):
    path = tmp_path / "g.sqlite3"
    store = open_store(path, busy_timeout_ms=20)
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="locked"):
        await store.writer.run(put, "a")
    other.rollback()
    other.close()

    assert await store.writer.run(put, "a") == "a"
    store.close()


async def test_a_full_disk_is_storage_unavailable_and_loses_nothing(store):
    def limit(pages):
        database.pragma("max_page_count", pages)

    await store.writer.run(limit, 20)
    with pytest.raises(StorageUnavailable, match="full"):
        await store.writer.run(put, "big", "x" * 1_000_000)
    await store.writer.run(limit, 100_000)

    assert await store.writer.run(put, "big", "x" * 1_000_000) == "big"


async def test_a_commit_that_fails_fails_every_job_in_it(store, monkeypatch):
    def fail():
        raise peewee.OperationalError("disk I/O error")

    monkeypatch.setattr(database, "commit", fail)
    with pytest.raises(StorageUnavailable, match="disk I/O error"):
        await store.writer.run(put, "a")
    monkeypatch.undo()

    assert "a" not in await store.writer.run(keys)


async def test_closing_finishes_what_waits(tmp_path):
    store = open_store(tmp_path / "g.sqlite3")
    jobs = [asyncio.ensure_future(store.writer.run(put, f"k{n}")) for n in range(10)]
    await asyncio.sleep(0)
    store.close()

    assert await asyncio.gather(*jobs) == [f"k{n}" for n in range(10)]
