import asyncio

import pytest

from control.api.errors import StorageUnavailable
from control.keeper import Keeper
from control.membership import Membership
from control.pace import Rhythm
from control.store import hosts
from control.store.hosts import StoredHost
from tests.unit.control.builders import beat, host, offer
from tests.unit.control.clock import Clock

pytestmark = pytest.mark.anyio


class Disk:
    """Stands in for the writer: remembers what it is given, fails when told to."""

    def __init__(self):
        self.saved = {}
        self.times = {}
        self.jobs = 0
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, job, *args):
        await self.gate.wait()
        self.jobs += 1
        if self.broken:
            raise StorageUnavailable("the disk is full")
        if job is hosts.save:
            present, gone = args
            self.saved.update({one.host.host_id: one for one in present})
            for host_id in gone:
                self.saved.pop(host_id, None)
        else:
            assert job is hosts.note_heartbeats
            self.times.update(*args)


@pytest.fixture
def membership():
    return Membership(Rhythm(), jitter=lambda: 0.0)


@pytest.fixture
def disk(anyio_backend):
    return Disk()


@pytest.fixture
def keeper(membership, disk):
    return Keeper(membership, disk, Clock().wall_time)


def join(membership, keeper, host_id="h1", now=10.0):
    lease, _ = membership.register(host(host_id), "i", [offer(f"{host_id}/s")], now)
    keeper.note(membership.take_changes().hosts)
    return lease


async def test_a_change_is_written_with_everything_it_belongs_to(membership, keeper, disk):
    join(membership, keeper)
    await keeper.save_changes()

    assert disk.saved == {
        "h1": StoredHost(host("h1"), 1, 1_700_000_010.0, (offer("h1/s").service,))
    }


async def test_a_host_that_went_is_removed(membership, keeper, disk):
    join(membership, keeper)
    await keeper.save_changes()
    membership.deregister("h1", None, now=11.0)
    keeper.note(membership.take_changes().hosts)
    await keeper.save_changes()

    assert disk.saved == {}


async def test_waiting_ends_when_the_change_is_durable(membership, keeper, disk):
    disk.gate.clear()
    join(membership, keeper)
    # Callers note and wait in one turn of the loop; so the wait begins before the writing.
    waiting = asyncio.ensure_future(keeper.kept())
    running = asyncio.ensure_future(keeper.run())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    disk.gate.set()

    assert await waiting
    assert "h1" in disk.saved
    running.cancel()


async def test_waiting_ends_when_the_disk_proves_unable(membership, keeper, disk, caplog):
    disk.broken = True
    running = asyncio.ensure_future(keeper.run())
    join(membership, keeper)
    assert not await keeper.kept()
    join(membership, keeper, "h2")
    assert not await keeper.kept()  # at once: the disk is known to fail

    assert "the disk is full; hosts and routes go on in memory" in caplog.text
    running.cancel()


async def test_what_the_disk_did_not_take_is_written_when_it_works_again(
    membership, keeper, disk, caplog
):
    caplog.set_level("INFO")
    disk.broken = True
    join(membership, keeper)
    for _ in range(3):
        await keeper.save_changes()
    membership.deregister("h1", None, now=11.0)
    join(membership, keeper, "h2")
    disk.broken = False
    await keeper.save_changes()

    assert set(disk.saved) == {"h2"}
    assert caplog.text.count("the disk is full") == 1
    assert caplog.text.count("takes changes again") == 1


async def test_the_time_of_heartbeats_is_written_for_those_who_sent_one(membership, keeper, disk):
    lease = join(membership, keeper, "h1")
    join(membership, keeper, "h2")
    await keeper.save_liveness()
    disk.times.clear()
    membership.beat(beat(lease, 1), now=11.0)
    await keeper.save_liveness()

    assert disk.times == {"h1": 1_700_000_011.0}
    jobs = disk.jobs
    await keeper.save_liveness()
    assert disk.jobs == jobs


async def test_time_that_was_not_written_is_written_later(membership, keeper, disk):
    join(membership, keeper)
    disk.broken = True
    await keeper.save_liveness()
    disk.broken = False
    await keeper.save_liveness()

    assert disk.times == {"h1": 1_700_000_010.0}
