import pytest
from geniehive.v1 import inventory_pb2 as pb

from control import messages
from control.inventory import Asset, Availability, Endpoint, Health, Host, Observation, Operation
from control.members import Member, Offer
from tests.unit.control.builders import asset, service

SEEN = pb.ServiceObservation(
    health=pb.HEALTH_LOADING,
    in_flight=0,
    queue_depth=2,
    tokens_per_second=1.5,
    detail="warming",
    availability=pb.AVAILABILITY_BUSY,
    kv_cache_utilization=0.0,
    vram_used_bytes=9_000_000_000,
    prompt_tokens_per_second=812.5,
)
SEEN.latency_p50.FromMilliseconds(250)
SEEN.latency_p95.FromMilliseconds(900)
SEEN.first_token_p50.FromMilliseconds(40)
SEEN.first_token_p95.FromMilliseconds(0)


def test_a_service_survives_the_way_in_and_out():
    message = pb.Service(
        service_id="h1/s",
        host_id="h1",
        engine="llamacpp",
        endpoint=pb.Endpoint(
            scheme="https",
            address="gpu-1:443",
            base_path="/openai",
            tls_name="gpu-1.lan",
            kind=pb.ENDPOINT_KIND_DIRECT,
        ),
        assets=[
            pb.Asset(
                asset_id="m",
                operations=[pb.OPERATION_CHAT, pb.OPERATION_EMBEDDINGS],
                loaded=True,
                context_tokens=8192,
                family="Qwen3-8B",
                labels=["coding", "instruction"],
                request_policy=pb.RequestPolicy(
                    body_defaults='{"top_p": 0.9}',
                    body_overrides='{"n": 1}',
                    system_prompt="be brief",
                    system_prompt_position=pb.SYSTEM_PROMPT_POSITION_APPEND,
                    user_template="{{ user_input }}!",
                    reasoning=pb.REASONING_PASS,
                    without_tools=True,
                ),
                modality="text",
                format="gguf",
                locator=pb.AssetLocator(kind="path", value="/models/qwen.gguf"),
                metadata={"quant": "Q4_K_M"},
                digest="sha256:00",
                capabilities=["tools", "vision"],
                size_bytes=5_027_783_488,
            )
        ],
        concurrency=2,
        revision=3,
        load_mode=pb.LOAD_MODE_ON_REQUEST,
        direct_requests=True,
        observation=SEEN,
        engine_version="b9100",
    )
    offer = Offer(messages.service(message, "h1"), messages.observation(message.observation))

    assert messages.service_message(offer) == message


def test_the_key_of_an_engine_comes_in_and_only_that_there_is_one_goes_out():
    keyed = messages.service(pb.Service(service_id="h1/s", api_key="canary"), "h1")
    message = messages.service_message(Offer(keyed))

    assert keyed.api_key == "canary"
    assert message.has_api_key
    assert "canary" not in str(message)
    assert "canary" not in repr(keyed)


def test_what_is_not_told_is_none_and_zero_is_zero():
    assert messages.observation(pb.ServiceObservation()) == Observation(Health.UNKNOWN)
    assert messages.observation(SEEN).in_flight == 0
    assert messages.observation(SEEN).first_token_p95 == 0


def test_a_service_belongs_to_whoever_registers_it():
    assert messages.service(pb.Service(service_id="h1/s", host_id="evil"), "h1").host_id == "h1"


def test_an_operation_of_a_newer_node_is_left_out_and_a_repeated_one_is_one():
    message = pb.Service(
        assets=[pb.Asset(asset_id="m", operations=[99, pb.OPERATION_CHAT, 0, pb.OPERATION_CHAT])]
    )

    assert messages.service(message, "h1").assets == (Asset("m", (Operation.CHAT,)),)


@pytest.mark.parametrize("kind", [pb.ENDPOINT_KIND_UNSPECIFIED, 7])
def test_an_endpoint_of_an_unknown_kind_is_not_taken_for_a_direct_one(kind):
    assert not messages.endpoint(pb.Endpoint(kind=kind)).direct


def test_a_relay_is_told_and_its_token_is_not():
    message = pb.Endpoint(
        scheme="http",
        address="127.0.0.1:1",
        kind=pb.ENDPOINT_KIND_NODE_RELAY,
        relay=pb.NodeRelay(address="tower:8802", token="canary", tls=True, tls_name="t"),
    )
    found = messages.endpoint(message)
    assert (found.token, found.callable, found.direct) == ("canary", True, False)
    assert "canary" not in repr(found)

    message.relay.token = ""
    assert messages.endpoint_message(found) == message
    assert not found.without_secrets().callable


def test_a_duration_beyond_all_bounds_is_read_and_left_to_be_dropped():
    message = pb.ServiceObservation()
    message.latency_p50.seconds = -(2**62)

    assert messages.observation(message).latency_p50 < 0


def test_every_operation_has_a_number_and_back():
    for operation in Operation:
        assert messages.OPERATIONS[messages.OPERATION_VALUES[operation]] is operation


def test_an_endpoint_is_told_as_it_is():
    found = Offer(service("h1/s", asset(), endpoint=Endpoint("http", "[::1]:1", "/x")))

    assert messages.service_message(found).endpoint == pb.Endpoint(
        scheme="http", address="[::1]:1", base_path="/x", kind=pb.ENDPOINT_KIND_DIRECT
    )


def test_a_host_survives_the_way_in_and_out_but_for_what_control_tells():
    told = {
        "host_id": "h1",
        "display_name": "Lab",
        "address": "10.0.0.1",
        "labels": {"site": "lab"},
        "capabilities": {"cuda": True},
        "trust_tier": "employee_device",
        "device_class": "laptop",
        "workload_classes": ["background", "batch"],
        "allowed_model_families": ["qwen3"],
    }
    member = Member(messages.host(pb.Host(**told)), 1, 0.0)
    message = messages.host_message(member, 0.0)

    assert {name: getattr(message, name) for name in told} == told


def test_a_node_does_not_choose_the_key_it_registered_with():
    assert messages.host(pb.Host(host_id="h1", node_key_id="static:0")).node_key_id == ""


def test_people_see_the_key_that_a_host_registered_with():
    member = Member(Host("h1", node_key_id="static:1f3a9c02"), 1, 0.0)

    assert messages.host_message(member, 0.0).node_key_id == "static:1f3a9c02"


@pytest.mark.parametrize("told", [pb.AVAILABILITY_UNSPECIFIED, 99])
def test_an_unknown_availability_is_available(told):
    seen = messages.observation(pb.ServiceObservation(availability=told))

    assert seen.availability is Availability.AVAILABLE


@pytest.mark.parametrize("availability", Availability)
def test_every_availability_survives_the_way_out_and_in(availability):
    found = Offer(service(), Observation(availability=availability))
    message = messages.service_message(found)

    assert messages.observation(message.observation).availability is availability


def test_what_an_asset_does_not_tell_stays_untold():
    message = messages.service_message(Offer(service("h1/s", asset())))

    assert message.assets[0] == pb.Asset(asset_id="m", operations=[pb.OPERATION_CHAT])
    assert messages.service(message, "h1") == service("h1/s", asset())
