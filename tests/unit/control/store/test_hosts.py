import pytest

from control.inventory import Endpoint, Operation, Resources
from control.store import hosts
from control.store.hosts import StoredHost
from tests.unit.control.builders import asset, host, service

pytestmark = pytest.mark.anyio

FULL = StoredHost(
    host(
        "h1",
        display_name="Größe",
        address="192.168.1.31",
        labels={"room": "attic"},
        capabilities={"cuda": True, "rocm": False},
        resources=Resources(8, 16 << 30),
    ),
    generation=7,
    heartbeat_time=1_700_000_000.25,
    services=(
        service(
            "h1/a",
            asset("m", (Operation.CHAT, Operation.EMBEDDINGS), loaded=True, context_tokens=8192),
            engine="llamacpp",
            concurrency=2,
            revision=3,
            endpoint=Endpoint("https", "gpu-1:443", "/openai", "gpu-1.lan"),
        ),
        service("h1/b"),
    ),
)


async def test_what_was_saved_is_loaded_again(store):
    await store.writer.run(hosts.save, [FULL], [])

    assert await store.writer.run(hosts.load) == [FULL]


async def test_saving_again_replaces(store):
    newer = StoredHost(host("h1"), 8, 1.0, (service("h1/b"), service("h1/c")))
    await store.writer.run(hosts.save, [FULL], [])
    await store.writer.run(hosts.save, [newer], [])

    assert await store.writer.run(hosts.load) == [newer]


async def test_removing_a_host_removes_its_services_and_no_others(store):
    other = StoredHost(host("h2"), 1, 1.0, (service("h2/a"),))
    await store.writer.run(hosts.save, [FULL, other], [])
    await store.writer.run(hosts.save, [], ["h1", "h9"])

    assert await store.writer.run(hosts.load) == [other]


async def test_the_time_of_a_heartbeat_changes_alone(store):
    await store.writer.run(hosts.save, [FULL], [])
    await store.writer.run(hosts.note_heartbeats, [("h1", 5.5), ("h9", 1.0)])

    loaded = await store.writer.run(hosts.load)
    assert loaded == [StoredHost(FULL.host, 7, 5.5, FULL.services)]
