"""What a node tells, as messages of the contract."""

import json
from dataclasses import astuple
from datetime import timedelta

import pytest
from geniehive.v1 import inventory_pb2 as pb
from geniehive.v1 import registry_service_pb2 as registry_pb
from hypothesis import given
from hypothesis import strategies as st

from control import admission, inventory, machine_messages, messages
from node import config, wire
from node.engines.openai import models
from node.engines.sight import MAX_CONCURRENCY, MAX_NAME_CHARACTERS, Sight, slots
from node.machine import observer
from node.machine.scan import _bounded
from node.session import Beat, Pace
from node.state import (
    Asset,
    Contribution,
    Gpu,
    GpuMetrics,
    Host,
    Machine,
    Metrics,
    ModelFile,
    Observation,
    Report,
    Service,
    Watched,
    declared,
    seen,
)

ENDPOINTS = [
    ("http://127.0.0.1:8080", ("http", "127.0.0.1:8080", "")),
    ("https://gpu.lan/openai", ("https", "gpu.lan:443", "/openai")),
    ("http://gpu.lan", ("http", "gpu.lan:80", "")),
    ("http://[::1]:9000/a/b", ("http", "[::1]:9000", "/a/b")),
]


@pytest.mark.parametrize(("url", "expected"), ENDPOINTS)
def test_endpoint_names_its_port(url, expected):
    endpoint = wire.endpoint_message(url)

    assert (endpoint.scheme, endpoint.address, endpoint.base_path) == expected
    assert endpoint.kind == pb.ENDPOINT_KIND_DIRECT


def watched(name, **seen):
    service = Service(name, "http://a:1", "embeddings", "openai", (Asset("m", True, 9),), 2, 5)
    return Watched(service, Observation("healthy", **seen))


def test_service_carries_definition_and_observation():
    message = wire.service_message(watched("h/x", in_flight=0))

    assert message.assets[0].operations == [pb.OPERATION_EMBEDDINGS]
    assert (message.concurrency, message.revision) == (2, 5)
    assert message.observation.health == pb.HEALTH_HEALTHY


def test_the_key_of_a_server_is_told_to_control_and_to_nobody_else():
    keyed = declared(config.Service(service_id="x", endpoint="http://a"), "h/x", "canary")

    assert wire.service_message(keyed).api_key == "canary"
    assert "canary" not in repr(keyed)


def test_a_model_that_embeds_does_so_whatever_the_kind_of_its_service():
    assets = (Asset("minilm", True, 0, "embeddings"), Asset("smol", True, 0))
    service = Service("h/x", "http://a:1", "chat", "llamacpp", assets)
    message = wire.service_message(Watched(service, Observation("healthy")))

    assert [list(asset.operations) for asset in message.assets] == [
        [pb.OPERATION_EMBEDDINGS],
        [pb.OPERATION_CHAT],
    ]


DECLARED = {
    "asset_id": "m",
    "family": "Qwen3-8B",
    "labels": ["coding"],
    "modality": "text",
    "format": "gguf",
    "locator": {"kind": "path", "value": "/models/m.gguf"},
    "metadata": {"quant": "Q4_K_M"},
    "digest": "sha256:00",
    "request_policy": {
        "body_defaults": {"top_p": 0.9},
        "body_overrides": {"n": 1},
        "system_prompt": "be brief",
        "system_prompt_position": "replace",
        "reasoning": "pass",
    },
}


def test_all_that_is_declared_of_a_model_reaches_control():
    settings = config.Service(
        service_id="x", endpoint="http://a:1", assets=[DECLARED, {"asset_id": "n"}]
    )
    message = wire.service_message(declared(settings, "h/x"))
    full, bare = messages.service(message, "h").assets

    assert full == inventory.Asset(
        "m",
        (inventory.Operation.CHAT,),
        family="Qwen3-8B",
        labels=("coding",),
        request_policy=inventory.RequestPolicy(
            '{"top_p":0.9}',
            '{"n":1}',
            "be brief",
            inventory.Position.REPLACE,
            reasoning=inventory.Reasoning.PASS,
        ),
        modality="text",
        format="gguf",
        locator=inventory.Locator("path", "/models/m.gguf"),
        metadata={"quant": "Q4_K_M"},
        digest="sha256:00",
    )
    assert bare == inventory.Asset("n", (inventory.Operation.CHAT,))
    assert admission.service_refusal(messages.service(message, "h"), "h") is None


@pytest.mark.parametrize("availability", inventory.Availability)
def test_what_is_declared_of_a_service_reaches_control(availability):
    settings = config.Service(
        service_id="x",
        endpoint="http://a:1",
        load_mode="on_request",
        state={"availability": availability.value, "allow_employee_direct_requests": True},
    )
    message = wire.service_message(declared(settings, "h/x"))
    found = messages.service(message, "h")

    assert messages.observation(message.observation).availability is availability
    assert (found.loads_on_request, found.direct_requests) == (True, True)


def test_what_is_declared_of_a_host_reaches_control():
    inventory_of = config.Inventory(
        trust_tier="employee_device",
        device_class="laptop",
        workload_classes=["background"],
        allowed_model_families=["qwen3"],
    )
    settings = config.Config(node={"host_id": "h"}, inventory=inventory_of)
    found = messages.host(wire.host_message(observer.declared(settings), Metrics(0.0, 0)))

    assert (found.trust_tier, found.device_class) == ("employee_device", "laptop")
    assert (found.workload_classes, found.allowed_model_families) == (("background",), ("qwen3",))


def test_a_machine_reaches_control_as_it_was_found():
    host = Host(
        "h",
        gpus=(Gpu("G", "RTX", "nvidia", 24 << 30),),
        contribution=Contribution(True, True, 85.0, 12 << 30),
    )
    metrics = Metrics(0.5, 7, (GpuMetrics("G", 0.25, 1, 60.0),), False, 61.0)
    file = ModelFile("/m/a.gguf", 7, "A", "llama", "Q8_0", 4096, 135)
    told = messages.host(wire.host_message(host, metrics))
    request = registry_pb.RegisterHostRequest(
        machine=wire.machine_message(Machine((file,), 3, ("wrong",)))
    )
    found = machine_messages.machine(request)

    assert astuple(told.resources.gpus[0]) == ("G", "RTX", "nvidia", 24 << 30)
    assert astuple(told.contribution)[:4] == (True, True, 85.0, 12 << 30)
    busy = machine_messages.metrics(wire.metrics_message(metrics))
    assert astuple(busy) == (0.5, 7, (("G", 0.25, 1, 60.0),), False, 61.0)
    assert astuple(found.files[0]) == astuple(file)
    assert (found.file_count, found.problems) == (3, ("wrong",))


def test_what_is_not_known_of_a_machine_is_absent():
    message = wire.metrics_message(Metrics(gpus=(GpuMetrics("G"),)))

    assert message == pb.HostMetrics(gpus=[pb.GpuMetrics(gpu_id="G")])


def test_the_largest_inventory_leaves_room_in_a_registration():
    """A message has 4 MB at most, and services need most of it."""
    names = ("\ufffd" * 200,) * 3
    files = [ModelFile("\ufffd" * 4_096, 2**62, *names, 2**62, 2**62) for _ in range(1_000)]
    problems = ["\ufffd" * 400] * 100
    bounded = _bounded(files, 2**31 - 1, problems, whole=True)
    machine = Machine(bounded.files, bounded.count, bounded.problems)

    assert wire.machine_message(machine).ByteSize() < 1 << 19


def test_none_is_absent_and_zero_is_zero():
    seen = wire.service_message(watched("h/x", in_flight=0)).observation

    assert seen.HasField("in_flight")
    assert not seen.HasField("queue_depth")
    assert not seen.HasField("tokens_per_second")


def test_beat_names_all_services_and_defines_few():
    report = Report(Host("h"), Metrics(0.5, 7), (watched("h/x"), watched("h/y")))
    lease = registry_pb.Lease(host_id="h", generation=3)
    message = wire.beat_message(Beat(3, 9, report, frozenset({"h/y"})), lease)

    assert [one.service_id for one in message.services] == ["h/x", "h/y"]
    assert [one.HasField("definition") for one in message.services] == [False, True]
    assert (message.sequence, message.metrics.cpu_utilization) == (9, 0.5)


def test_pace_that_is_not_told_is_the_default():
    assert wire.pace_of(registry_pb.Pace()) == Pace(5.0, 15.0, 2.0)


def test_pace_is_read_in_seconds_and_below_zero_is_not_told():
    message = registry_pb.Pace()
    message.heartbeat_interval.FromTimedelta(timedelta(seconds=0.25))
    message.lease_duration.FromTimedelta(timedelta(seconds=-1))

    assert wire.pace_of(message) == Pace(0.25, 0.75, 2.0)


TEXTS = st.text(max_size=250) | st.sampled_from([" x", "x ", "x", "a\u202eb", "\ud800"])
COUNTS = st.integers() | st.floats() | st.none()
ENTRIES = st.fixed_dictionaries(
    {"id": TEXTS | COUNTS}, optional={"max_model_len": COUNTS, "owned_by": TEXTS, "status": TEXTS}
)


@given(st.lists(st.tuples(st.lists(ENTRIES, max_size=5), COUNTS), max_size=4))
def test_whatever_engines_say_control_takes_the_registration(engines):
    settings = config.Service(service_id="x", endpoint="http://127.0.0.1:8080")
    registered = []
    for place, (entries, total_slots) in enumerate(engines):
        listed = models(json.dumps({"data": entries}).encode())
        sight = Sight("healthy", engine="llamacpp", models=listed, concurrency=slots(total_slots))
        watched = seen(declared(settings, f"h/x{place}"), sight, settings)
        message = pb.Service.FromString(wire.service_message(watched).SerializeToString())
        registered.append(messages.service(message, "h"))

    admission.check_registration(messages.host(pb.Host(host_id="h")), "i", registered)


def test_limits_are_those_of_control():
    assert config.MAX_SERVICES == admission.MAX_SERVICES
    assert config.MAX_ASSETS == admission.MAX_ASSETS
    assert config.MAX_TEXT == MAX_NAME_CHARACTERS == admission.MAX_TEXT
    assert config.MAX_PLACE == admission.MAX_PLACE
    assert MAX_CONCURRENCY == admission.MAX_CONCURRENCY
    assert config.SERVICE_ID.pattern == admission._SERVICE_ID.pattern
    assert admission._HOST_ID.pattern == config.HOST_ID.pattern
