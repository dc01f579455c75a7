import pytest
from geniehive.v1 import inventory_pb2 as pb

from control import messages
from control.inventory import Asset, Endpoint, Health, Observation, Operation
from control.members import Offer
from tests.unit.control.builders import asset, service

SEEN = pb.ServiceObservation(
    health=pb.HEALTH_LOADING, in_flight=0, queue_depth=2, tokens_per_second=1.5, detail="warming"
)
SEEN.latency_p50.FromMilliseconds(250)


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
            )
        ],
        concurrency=2,
        revision=3,
        observation=SEEN,
    )
    offer = Offer(messages.service(message, "h1"), messages.observation(message.observation))

    assert messages.service_message(offer) == message


def test_what_is_not_told_is_none_and_zero_is_zero():
    assert messages.observation(pb.ServiceObservation()) == Observation(Health.UNKNOWN)
    assert messages.observation(SEEN).in_flight == 0


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
