"""A resource is read whole and checked, or named as unusable."""

import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from gateway.relay import Relay
from gateway.resources import meant, read_resource, target_message, target_name
from gateway.table import Unusable
from tests.unit.gateway.pushed import CHAT, EMBEDDINGS, candidate, policy, service, target


def relayed(service_id="h/a", address="tower:8802", token="canary", **endpoint):
    relay = inventory.NodeRelay(address=address, token=token, tls=True, tls_name="t")
    kind = inventory.ENDPOINT_KIND_NODE_RELAY
    return service(service_id, "127.0.0.1:9", kind=kind, relay=relay, **endpoint)


def test_a_service_behind_a_relay_is_read_with_the_way_there():
    origin = read_resource(relayed()).origin

    assert origin.authority == "127.0.0.1:9"
    assert origin.relay == Relay("tower", 8802, "canary", True, "t")
    assert "canary" not in repr(origin)


@pytest.mark.parametrize(
    "resource",
    [
        service(""),
        service("h/a", "127.0.0.1"),
        service("h/a", "127.0.0.1:0"),
        service("h/a", "127.0.0.1:99999"),
        service("h/a", "u@h:80"),
        service("h/a", "h:80\r\nx: y"),
        service("h/a", scheme="ftp"),
        service("h/a", base_path="v1"),
        service("h/a", base_path="/a b"),
        service("h/a", base_path="/a\r\n"),
        service("h/a", kind=7),
        relayed(address="tower"),
        relayed(token=""),
        relayed(token="a\r\nx: y"),
        relayed(service_id="h/a b"),
        relayed(scheme="https"),
        service("h/a", api_key="a b"),
        service("h/a", api_key="a\r\nx: y"),
        service("h/a", api_key="é"),
        service("h/a", api_key="x" * 513),
        target(""),
        target("m", operation=0),
        target("m", operation=99),
        target("m", ("", 1)),
        target("m", ("h/a", float("nan"))),
        target("m", ("h/a", 1, {"runtime": float("inf")})),
        target("m", ("h/a", 1, {"runtime": -0.1})),
        target("m", strategy=99),
        target("m", queue_steps=[pb.QueueStep(queue_depth=1, penalty=float("nan"))]),
        target("m", queue_steps=[pb.QueueStep(queue_depth=1, penalty=-0.1)]),
        policy(0),
        pb.Resource(name="policy/1", policy=policy(1).policy),
        pb.Resource(
            name="target/chat/m",
            target_patch=pb.TargetPatch(upserts=[candidate("h/a", 1)], removed=["h/a"]),
        ),
        pb.Resource(name="service/h/b", service=service("h/a").service),
        pb.Resource(name="target/chat/n", target=target("m").target),
        pb.Resource(name="target/embeddings/m", target=target("m").target),
        pb.Resource(key=pb.ClientKey(principal_id="a", key_hash=b"x" * 32)),
        pb.Resource(name="empty"),
    ],
    ids=str,
)
def test_what_a_gateway_cannot_act_on_is_unusable(resource):
    with pytest.raises(Unusable):
        read_resource(resource)


def test_the_key_of_an_engine_is_held_and_not_shown():
    read = read_resource(service("h/a", api_key="canary"))

    assert read.origin.api_key == "canary"
    assert "canary" not in repr(read)


def test_a_key_that_cannot_be_used_is_not_shown():
    with pytest.raises(Unusable) as raised:
        read_resource(service("h/a", api_key="canary\n"))
    assert "canary" not in str(raised.value)


def test_a_target_that_was_read_is_written_as_it_came():
    steps = [pb.QueueStep(queue_depth=2, penalty=0.03), pb.QueueStep(queue_depth=5, penalty=0.06)]
    came = target(
        "mentor",
        ("h/a", 0.5, {"tier": 3, "runtime": 0.25, "policy_id": 2**64 - 1}),
        ("h/b", 1),
        strategy=pb.STRATEGY_ROUND_ROBIN,
        role=True,
        fallback_roles=["tutor", "general"],
        queue_steps=steps,
    )

    written = target_message(read_resource(came))

    came.hash = 0
    assert written == came


def test_a_patch_changes_the_candidates_it_names():
    base = read_resource(target("m", ("h/a", 0), ("h/b", 0), strategy=pb.STRATEGY_SCORED))
    patch = read_resource(
        pb.Resource(
            name="target/chat/m",
            target_patch=pb.TargetPatch(
                base_hash=7, upserts=[candidate("h/b", 1), candidate("h/c", 1)], removed=["h/a"]
            ),
        )
    )

    after = patch.upon(base)

    assert patch.base_hash == 7
    assert set(patch.parts) == {"h/a", "h/b", "h/c"}
    expected = target("m", ("h/b", 1), ("h/c", 1), strategy=pb.STRATEGY_SCORED)
    assert after == read_resource(expected)
    assert base.candidates.keys() == {"h/a", "h/b"}


@pytest.mark.parametrize("name", ["m", "org/model:7b", "//", "modèle"])
@pytest.mark.parametrize("operation", [CHAT, EMBEDDINGS])
def test_what_a_name_of_a_target_means_can_be_read_from_it(operation, name):
    assert meant(target_name(operation, name)) == (operation, name)
