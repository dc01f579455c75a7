"""What clients can ask for: roles and assets, and who serves them."""

from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory

from cli.models import models
from tests.unit.cli.clusters import role, status


def test_an_asset_is_one_name_whoever_serves_it():
    found = models([status("a/x", "m", context=1_000), status("b/x", "+m", context=500)], [])

    (one,) = found
    assert (one.name, one.kind, one.operations) == ("m", "asset", ["chat"])
    assert one.services == ["b/x", "a/x"]  # what has it in memory first
    assert one.loaded
    assert one.context_tokens == 1_000


def test_what_is_not_routed_is_not_offered():
    assert models([status("a/x", "m", routable=False)], []) == []


def test_roles_come_first_and_may_have_nobody():
    serving = status("a/x", "m")
    serving.roles.append(pb.ServedRole(role_id="mentor", asset_id="m"))
    found = models([serving], [role("mentor", "a/x", "m", loaded=1), role("alone")])

    assert [(one.name, one.kind, list(one.services)) for one in found] == [
        ("alone", "role", []),
        ("mentor", "role", ["a/x"]),
        ("m", "asset", ["a/x"]),
    ]


def test_the_first_of_a_role_is_who_would_serve_it():
    services = [status("a/x", "m"), status("b/x", "m")]
    for one in services:
        one.roles.append(pb.ServedRole(role_id="mentor", asset_id="m"))

    assert models(services, [role("mentor", "b/x", "m")])[0].services == ["b/x", "a/x"]


def test_an_asset_named_as_a_role_is_asked_for_by_its_long_name():
    names = [one.name for one in models([status("a/x", "mentor")], [role("mentor")])]

    assert names == ["mentor", "asset/mentor"]


def test_operations_of_all_who_serve_it_are_told():
    chat = status("a/x", "m")
    embeds = status("b/x", "m", operation=inventory.OPERATION_EMBEDDINGS)

    assert models([embeds, chat], [])[0].document == {
        "id": "m",
        "route_type": "asset",
        "operations": ["chat", "embeddings"],
        "services": ["b/x", "a/x"],
        "loaded": False,
        "context_tokens": None,
    }
