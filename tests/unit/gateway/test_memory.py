"""A gateway starts from what an earlier one knew, and control has the last word."""

import asyncio
import os
import shutil
import threading

import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control.api.errors import NoHealthyRoute
from control.api.priorities import Priority
from gateway import last_good, memory
from gateway.config import Config
from gateway.gateway import Gateway
from gateway.last_good import Refused
from gateway.memory import Memory
from gateway.resources import Waiting
from gateway.steps import finished

pytestmark = pytest.mark.anyio

CONTROL = "control:8801"
CHAT = inventory.OPERATION_CHAT


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(memory, "PATIENCE_SECONDS", 0.0)


class Life:
    """One life of a gateway."""

    def __init__(self, folder, now=1_000.0):
        self.now = now
        self.gateway = Gateway(Config(), clock=self.time, wall_time=self.time)
        self.memory = Memory(self.gateway, folder, "key", CONTROL)
        self.routes = [service("h/a"), target("m", "h/a")]
        self.version = 0

    def time(self):
        return self.now

    def told(self, *resources, settled=True, incarnation="i", keys=(), clients=()):
        """Hear the whole of both tables from control."""
        self.version += 1
        gateway = self.gateway
        identity = pb.TableIdentity(store_id="s", incarnation=incarnation, version=self.version)
        settings = pb.Resource(name="settings", settings=pb.KeySettings())
        clients = [*(client(name) for name in keys), *map(keyed, clients)]
        applied = gateway.route_table.apply(update(identity, resources or self.routes, settled))
        finished(gateway.routes.follow(gateway.route_table, applied.names))
        gateway.key_table.apply(update(identity, [settings, *clients], True))
        gateway.keys.replace(gateway.key_table.current)
        gateway.control_connected = True

    def patched(self, name, candidate):
        """Hear that a target has one candidate more."""
        table = self.gateway.route_table
        patch = pb.Resource(name=f"target/chat/{name}", target_patch=pb.TargetPatch())
        patch.target_patch.upserts.append(candidate)
        changed = pb.TableUpdate(
            identity=table.identity, base_version=self.version, settled=True, upserts=[patch]
        )
        changed.identity.version = self.version = self.version + 1
        finished(self.gateway.routes.follow(table, table.apply(changed).names))

    def leave(self):
        """End, as a process does: the lock is free again."""
        if self.memory._lock is not None:
            os.close(self.memory._lock)


def update(identity, resources, settled):
    return pb.TableUpdate(identity=identity, snapshot=True, settled=settled, upserts=resources)


def service(name, api_key=""):
    endpoint = inventory.Endpoint(
        scheme="http", address="127.0.0.1:80", kind=inventory.ENDPOINT_KIND_DIRECT
    )
    route = pb.RouteService(service_id=name, host_id="h", endpoint=endpoint, api_key=api_key)
    return pb.Resource(name=f"service/{name}", service=route)


def target(name, *services):
    candidates = [pb.Candidate(service_id=one, asset_id=name, score=1) for one in services]
    entry = pb.Target(name=name, operation=CHAT, candidates=candidates)
    return pb.Resource(name=f"target/chat/{name}", target=entry)


def client(name):
    return keyed(pb.ClientKey(principal_id=name, key_hash=bytes(32)))


def keyed(key):
    return pb.Resource(name=f"key/{key.principal_id}", key=key)


async def remembered(folder):
    """Leave a file behind."""
    first = Life(folder)
    first.told()
    await first.memory.keep()
    first.leave()
    return folder / last_good.NAME


async def test_a_gateway_serves_what_the_last_one_knew_and_says_how_old_it_is(tmp_path):
    await remembered(tmp_path)
    second = Life(tmp_path, now=1_060.0)
    assert not second.gateway.ready
    await second.memory.recall()

    assert second.gateway.ready
    assert set(second.gateway.routes.upstreams) == {"h/a"}
    assert second.gateway.routes.resolve(CHAT, "m").choices
    assert second.gateway.age() == {"source": "file", "stale_seconds": 60.0}


async def test_how_requests_wait_and_who_goes_first_is_as_before(tmp_path):
    """Also of a target that came in parts, of which the file has what was read."""
    room = pb.RoomSettings(
        waiting=True, priority=pb.PRIORITY_LOW, highest_priority=pb.PRIORITY_NORMAL
    )
    wanted = target("m", "h/a")
    wanted.target.priority = pb.PRIORITY_HIGH
    wanted.target.candidates[0].absent = True
    loads = service("h/a")
    loads.service.loaded_asset_count = 2
    standing = {"priority": pb.PRIORITY_LOW, "highest_priority": pb.PRIORITY_HIGH}
    vip = pb.ClientKey(principal_id="vip", key_hash=bytes(32), **standing)
    first = Life(tmp_path)
    first.told(pb.Resource(name="room", room=room), loads, wanted, clients=[vip])
    first.patched("m", pb.Candidate(service_id="h/b", asset_id="m", score=1, absent=True))
    await first.memory.keep()
    first.leave()
    second = Life(tmp_path)
    await second.memory.recall()

    for gateway in (first.gateway, second.gateway):
        told = gateway.route_table.current | gateway.route_table.carried
        assert told["room"] == Waiting(True, Priority.LOW, Priority.NORMAL)
        assert told["target/chat/m"].priority is Priority.HIGH
        assert [one.absent for one in told["target/chat/m"].candidates.values()] == [True, True]
        assert told["service/h/a"].loaded_assets == 2
        assert gateway.routes.waiting == told["room"]
        assert gateway.priorities.of(None, "other", None) is Priority.LOW
        assert gateway.priorities.of(Priority.HIGH, "vip", None) is Priority.HIGH


async def test_a_service_with_a_key_is_not_in_the_file_and_not_called_without_it(tmp_path):
    first = Life(tmp_path)
    first.told(service("h/a", "canary"), service("h/b"), target("m", "h/a"), target("n", "h/b"))
    await first.memory.keep()
    first.leave()
    assert b"canary" not in (tmp_path / last_good.NAME).read_bytes()

    second = Life(tmp_path)
    await second.memory.recall()
    assert set(second.gateway.routes.upstreams) == {"h/b"}
    assert second.gateway.routes.resolve(CHAT, "n").choices
    with pytest.raises(NoHealthyRoute):
        second.gateway.routes.resolve(CHAT, "m")

    # It is there again as soon as control is.
    second.told(service("h/a", "canary"), target("m", "h/a"), incarnation="j")
    [choice] = second.gateway.routes.resolve(CHAT, "m").choices
    assert choice.upstream.origin.api_key == "canary"


async def test_what_is_behind_a_relay_is_not_in_the_file(tmp_path):
    first = Life(tmp_path)
    relayed = service("h/a")
    relayed.service.endpoint.kind = inventory.ENDPOINT_KIND_NODE_RELAY
    relayed.service.endpoint.relay.address = "tower:8802"
    relayed.service.endpoint.relay.token = "canary"
    first.told(relayed, service("h/b"), target("m", "h/a"), target("n", "h/b"))
    assert set(first.gateway.routes.upstreams) == {"h/a", "h/b"}
    await first.memory.keep()
    first.leave()

    assert b"canary" not in (tmp_path / last_good.NAME).read_bytes()
    second = Life(tmp_path)
    await second.memory.recall()
    assert set(second.gateway.routes.upstreams) == {"h/b"}


async def test_control_has_the_last_word(tmp_path):
    """Not settled, it adds; settled, what it does not name is gone."""
    await remembered(tmp_path)
    second = Life(tmp_path)
    await second.memory.recall()

    second.told(service("h/b"), target("n", "h/b"), settled=False, incarnation="j")
    assert set(second.gateway.routes.upstreams) == {"h/a", "h/b"}
    assert second.gateway.age() == {}
    second.told(service("h/b"), target("n", "h/b"), incarnation="j")
    assert set(second.gateway.routes.upstreams) == {"h/b"}


async def test_a_control_that_is_there_is_believed_and_the_file_is_not(tmp_path):
    await remembered(tmp_path)
    second = Life(tmp_path)
    second.told(service("h/b"))
    await second.memory.recall()

    assert set(second.gateway.routes.upstreams) == {"h/b"}
    assert second.gateway.age() == {}


async def test_a_refused_file_is_one_line_of_the_log(tmp_path, caplog):
    path = await remembered(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    second = Life(tmp_path)
    await second.memory.recall()

    assert not second.gateway.ready
    assert [record.message for record in caplog.records] == [
        f"{path} refused: it is damaged, or was written with another gateway key;"
        " waiting for control"
    ]


async def test_it_is_written_on_change_and_otherwise_only_to_confirm_its_age(tmp_path):
    path = tmp_path / last_good.NAME
    life = Life(tmp_path)
    await life.memory.keep()
    assert not path.exists()  # nothing is known
    life.told()
    await life.memory.keep()
    path.unlink()
    await life.memory.keep()
    assert not path.exists()  # nothing changed
    life.told()
    await life.memory.keep()
    assert path.exists()
    path.unlink()
    life.now += memory.CONFIRM_SECONDS
    await life.memory.keep()

    assert last_good.read(tmp_path, "key", CONTROL).at == life.now
    life.leave()


async def test_a_control_that_may_have_forgotten_is_not_remembered(tmp_path):
    life = Life(tmp_path)
    life.told(settled=False)
    await life.memory.keep()

    assert not (tmp_path / last_good.NAME).exists()


async def test_a_key_that_is_gone_is_forgotten_before_routes_are_settled(tmp_path):
    first = Life(tmp_path)
    first.told(keys=["a", "b"])
    await first.memory.keep()
    known = first.now
    first.now += 5
    first.told(service("h/b"), settled=False, incarnation="j", keys=["a"])
    await first.memory.keep()
    first.leave()

    kept = last_good.read(tmp_path, "key", CONTROL)
    assert [one.name for one in kept.keys.upserts] == ["settings", "key/a"]
    assert [one.name for one in kept.routes.upserts] == ["service/h/a", "target/chat/m"]
    assert kept.at == known


async def test_a_file_that_is_refused_is_not_made_good_by_new_keys(tmp_path):
    path = await remembered(tmp_path)
    path.chmod(0o644)
    second = Life(tmp_path)
    second.told(settled=False)
    await second.memory.keep()
    second.leave()

    with pytest.raises(Refused):
        last_good.read(tmp_path, "key", CONTROL)


async def test_the_age_counts_from_when_control_was_lost(tmp_path):
    life = Life(tmp_path)
    life.told()
    life.now += 100
    life.gateway.control_connected = False
    life.now += 7
    life.told()
    life.gateway.control_connected = False
    life.now += 5

    assert life.gateway.age() == {"source": "control", "stale_seconds": 5.0}
    await life.memory.keep()
    life.leave()
    assert last_good.read(tmp_path, "key", CONTROL).at == life.now - 5


async def test_a_folder_that_cannot_be_written_is_told_once(tmp_path, caplog):
    path = tmp_path / "file"
    path.touch()
    life = Life(path / "state")
    life.told()
    await life.memory.keep()
    await life.memory.keep()

    assert len(caplog.records) == 1
    assert "a restart will need control" in caplog.text


async def test_a_folder_that_was_taken_away_is_made_again(tmp_path, caplog):
    life = Life(tmp_path / "state")
    life.told()
    await life.memory.keep()
    shutil.rmtree(tmp_path / "state")
    life.told()
    await life.memory.keep()
    await life.memory.keep()
    life.leave()

    assert last_good.read(tmp_path / "state", "key", CONTROL) is not None
    assert len(caplog.records) == 1


async def test_another_process_writes_when_the_first_is_gone(tmp_path):
    first, second = Life(tmp_path), Life(tmp_path)
    first.told()
    second.told(service("h/b"))
    await first.memory.keep()
    await second.memory.keep()
    written = last_good.read(tmp_path, "key", CONTROL)
    assert [one.name for one in written.routes.upserts] == ["service/h/a", "target/chat/m"]

    first.leave()
    await second.memory.keep()
    second.leave()
    written = last_good.read(tmp_path, "key", CONTROL)
    assert [one.name for one in written.routes.upserts] == ["service/h/b"]


def test_a_disk_that_does_not_answer_keeps_no_process_from_ending(tmp_path, monkeypatch):
    read, answers, answered = (threading.Event() for _ in range(3))

    def hang(*_args):
        read.set()
        answers.wait(10)
        answered.set()

    async def brief_life():
        remembering = asyncio.create_task(Life(tmp_path).memory.run())
        while not read.is_set():  # noqa: ASYNC110  # a thread sets it
            await asyncio.sleep(0.001)
        remembering.cancel()

    monkeypatch.setattr(last_good, "read", hang)
    asyncio.run(brief_life())  # which waits for the threads of the executor

    assert not answered.is_set()
    answers.set()


async def test_what_control_told_in_parts_is_written_whole(tmp_path):
    first = Life(tmp_path)
    first.routes[1].hash = 3
    first.routes.append(service("h/b"))
    first.version += 1
    table = first.gateway.route_table
    identity = pb.TableIdentity(store_id="s", incarnation="i", version=1)
    held = update(identity, first.routes, True)
    held.table_hash = 3
    table.apply(held)
    patch = pb.TargetPatch(
        base_hash=3, upserts=[pb.Candidate(service_id="h/b", asset_id="m", score=0.5)]
    )
    changed = pb.Resource(name="target/chat/m", hash=4, target_patch=patch)
    identity = pb.TableIdentity(store_id="s", incarnation="i", version=2)
    table.apply(
        pb.TableUpdate(
            identity=identity, base_version=1, settled=True, upserts=[changed], table_hash=4
        )
    )
    settings = pb.Resource(name="settings", settings=pb.KeySettings())
    first.gateway.key_table.apply(update(identity, [settings], True))
    first.gateway.control_connected = True
    await first.memory.keep()
    first.leave()

    second = Life(tmp_path)
    await second.memory.recall()
    choices = second.gateway.routes.resolve(CHAT, "m").choices
    assert [one.upstream.service_id for one in choices] == ["h/a", "h/b"]


async def test_a_large_table_is_not_written_all_the_time_and_a_key_that_is_gone_at_once(
    tmp_path, monkeypatch
):
    life = Life(tmp_path)
    writes = []

    def write(folder, content):
        writes.append(content)
        life.now += 1.0

    monkeypatch.setattr(last_good, "write", write)
    life.told(keys=["one", "two"])
    await life.memory.keep()
    life.now += memory.REST - 2
    life.told(service("h/c"), keys=["one", "two"])
    await life.memory.keep()
    assert len(writes) == 2  # the version of the keys is another one

    life.gateway.route_table.identity.version += 1
    await life.memory.keep()
    assert len(writes) == 2
    life.now += memory.REST
    await life.memory.keep()
    assert len(writes) == 3


async def test_a_recall_while_a_table_is_followed_leaves_that_to_who_follows_it(tmp_path):
    """Routes were told, keys were not yet: the file has nothing to add to the routes."""
    first, second = Life(tmp_path), Life(tmp_path)
    first.told()
    await first.memory.keep()
    first.leave()
    routes = second.gateway.routes
    identity = pb.TableIdentity(store_id="s", incarnation="j", version=1)
    resources = [service("h/a"), service("h/b"), target("m", "h/a", "h/b")]
    applied = second.gateway.route_table.apply(update(identity, resources, True))
    following = routes.follow(second.gateway.route_table, applied.names)
    next(following)

    await second.memory.recall()
    finished(following)

    assert len(routes.resolve(CHAT, "m").choices) == 2
