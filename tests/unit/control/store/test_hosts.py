from dataclasses import replace

import pytest

from control.inventory import (
    Contribution,
    Endpoint,
    Gpu,
    Locator,
    NodeRelay,
    Operation,
    Position,
    Reasoning,
    RequestPolicy,
    Resources,
)
from control.store import hosts
from control.store.database import database
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
        resources=Resources(8, 16 << 30, (Gpu("GPU-1", "RTX 4090", "nvidia", 24 << 30),)),
        trust_tier="employee_device",
        device_class="laptop",
        workload_classes=("background",),
        allowed_model_families=("qwen3", "mistral"),
        node_key_id="static:1f3a9c02",
        contribution=Contribution(True, True, 85.0, 12_000_000_000),
    ),
    generation=7,
    heartbeat_time=1_700_000_000.25,
    services=(
        service(
            "h1/a",
            asset(
                "m",
                (Operation.CHAT, Operation.EMBEDDINGS),
                loaded=True,
                context_tokens=8192,
                family="Qwen3-8B",
                labels=("coding",),
                request_policy=RequestPolicy(
                    '{"top_p": 0.9}', "", "be brief", Position.REPLACE, "", Reasoning.PASS, True
                ),
                modality="text",
                format="gguf",
                locator=Locator("path", "/models/qwen.gguf"),
                metadata={"quant": "Q4_K_M"},
                digest="sha256:00",
                capabilities=("tools",),
                size_bytes=5_027_783_488,
            ),
            engine="llamacpp",
            engine_version="b9100",
            concurrency=2,
            revision=3,
            loads_on_request=True,
            direct_requests=True,
            endpoint=Endpoint("https", "gpu-1:443", "/openai", "gpu-1.lan"),
        ),
        service("h1/b"),
    ),
)


async def test_what_was_saved_is_loaded_again(store):
    await store.writer.run(hosts.save, [FULL], [])

    assert await store.writer.run(hosts.load) == [FULL]


async def test_that_an_engine_needs_a_key_is_kept_and_the_key_is_not(store, tmp_path):
    keyed = service("h1/a", needs_key=True, api_key="canary-of-an-engine")
    await store.writer.run(hosts.save, [StoredHost(host("h1"), 1, 1.0, (keyed,))], [])

    [loaded] = await store.writer.run(hosts.load)
    assert loaded.services == (service("h1/a", needs_key=True),)
    files = {path.name: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert any(name.endswith("-wal") for name in files)
    assert not any(b"canary" in content for content in files.values())


async def test_that_a_service_is_behind_a_relay_is_kept_and_the_token_is_not(store, tmp_path):
    endpoint = Endpoint("http", "127.0.0.1:1", direct=False, relay=NodeRelay("t:2", "canary"))
    relayed = service("h1/a", endpoint=endpoint)
    await store.writer.run(hosts.save, [StoredHost(host("h1"), 1, 1.0, (relayed,))], [])

    [loaded] = await store.writer.run(hosts.load)
    assert loaded.services == (replace(relayed, endpoint=endpoint.without_secrets()),)
    assert not loaded.services[0].callable
    assert not any(b"canary" in path.read_bytes() for path in tmp_path.rglob("*.*"))


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


# As GenieHive wrote them before hosts had tiers and assets had policies.
OLD_HOST = (
    '{"host_id":"h1","display_name":"Gr\u00f6\u00dfe","address":"","labels":{"room":"attic"},'
    '"capabilities":{"cuda":true},"resources":{"cpu_threads":8,"memory_bytes":17179869184}}'
)
OLD_SERVICE = (
    '{"service_id":"h1/a","host_id":"h1","endpoint":{"scheme":"http","address":"127.0.0.1:8080",'
    '"base_path":"","tls_name":"","direct":true},"engine":"llamacpp","assets":[{"asset_id":"m",'
    '"operations":["chat"],"loaded":true,"context_tokens":8192}],"concurrency":2,"revision":3}'
)


async def test_rows_of_an_older_geniehive_are_loaded_with_what_they_do_not_tell_at_its_default(
    store,
):
    def write():
        connection = database.connection()
        connection.execute("INSERT INTO hosts VALUES ('h1', 7, ?, 5.5)", (OLD_HOST,))
        connection.execute("INSERT INTO services VALUES ('h1/a', 'h1', ?)", (OLD_SERVICE,))

    await store.writer.run(write)

    old = host(
        "h1",
        display_name="Größe",
        labels={"room": "attic"},
        capabilities={"cuda": True},
        resources=Resources(8, 16 << 30),
    )
    model = asset(loaded=True, context_tokens=8192)
    offered = service("h1/a", model, engine="llamacpp", concurrency=2, revision=3)
    assert await store.writer.run(hosts.load) == [StoredHost(old, 7, 5.5, (offered,))]


# As GenieHive wrote them before nodes measured.
UNMEASURED_HOST = (
    '{"host_id":"h1","display_name":"Lab","address":"10.0.0.1","labels":{"room":"attic"},'
    '"capabilities":{"cuda":true},"resources":{"cpu_threads":8,"memory_bytes":17179869184},'
    '"trust_tier":"employee_device","device_class":"laptop","workload_classes":["background"],'
    '"allowed_model_families":["qwen3"],"node_key_id":"static:1f3a9c02"}'
)
UNMEASURED_SERVICE = (
    '{"service_id":"h1/a","host_id":"h1","endpoint":{"scheme":"http","address":"gpu-1:80",'
    '"base_path":"/x","tls_name":"","direct":true},"engine":"llamacpp","assets":[{"asset_id":"m",'
    '"operations":["chat"],"loaded":true,"context_tokens":8192,"family":"Qwen3-8B",'
    '"labels":["coding"],"request_policy":null,"modality":"text","format":"gguf",'
    '"locator":{"kind":"path","value":"/m.gguf"},"metadata":{"quant":"Q4"},'
    '"digest":"sha256:00"}],"concurrency":2,"revision":3,"loads_on_request":true,'
    '"direct_requests":true,"needs_key":true,"api_key":""}'
)


async def test_rows_from_before_nodes_measured_are_loaded(store):
    def write():
        connection = database.connection()
        connection.execute("INSERT INTO hosts VALUES ('h1', 7, ?, 5.5)", (UNMEASURED_HOST,))
        connection.execute("INSERT INTO services VALUES ('h1/a', 'h1', ?)", (UNMEASURED_SERVICE,))

    await store.writer.run(write)
    [loaded] = await store.writer.run(hosts.load)

    assert loaded.host.contribution == Contribution()
    assert loaded.host.resources == Resources(8, 16 << 30)
    assert loaded.host.node_key_id == "static:1f3a9c02"
    [offered] = loaded.services
    assert (offered.engine_version, offered.needs_key) == ("", True)
    assert offered.endpoint == Endpoint("http", "gpu-1:80", "/x")
    [model] = offered.assets
    assert (model.capabilities, model.size_bytes, model.digest) == ((), 0, "sha256:00")
