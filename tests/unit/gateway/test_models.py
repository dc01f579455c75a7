"""The list of models: names as the routes have them, details as control knows them."""

import json
import time

import pytest

from gateway.known import NOTHING, Entry, Known
from gateway.models import Models
from gateway.resources import read_resource
from gateway.routes import Routes
from gateway.steps import finished
from gateway.table import Replica
from tests.unit.gateway.pushed import EMBEDDINGS, StubUpstream, policy, service, target
from tests.unit.gateway.stub_control import told_asset, told_host, told_role, told_service
from tests.unit.gateway.updates import Control

OFFERED = (
    service("h/a"),
    service("h/b"),
    target("m", ("h/b", 1)),
    target("m", ("h/a", 1), operation=EMBEDDINGS),
    target("cold"),
    target("h/a", ("h/a", 1)),
)


def told(hosts=(), services=(), roles=()):
    """Return what control knows."""
    return Known(
        {one.host_id: Entry(one, b"") for one in hosts},
        {one.service.service_id: Entry(one, b"") for one in services},
        {one.role.role_id: Entry(one, b"") for one in roles},
    )


class Gateway:
    """Routes that follow a control, and their list."""

    def __init__(self, *offered):
        self.control, self.table = Control(), Replica(read_resource)
        self.routes = Routes(StubUpstream)
        self.models = Models(self.routes)
        self.take(self.control.snapshot())
        self.change(*(offered or OFFERED))

    def take(self, update):
        finished(self.routes.follow(self.table, self.table.apply(update).names))

    def change(self, *upserts, gone=()):
        self.take(self.control.delta(upserts, gone))

    def listed(self, known=NOTHING, *asked):
        return json.loads(finished(self.models.listing(known, *asked)))

    def ids(self, *asked):
        return [one["id"] for one in self.listed(NOTHING, *asked)["data"]]

    def item(self, name, known=NOTHING):
        (found,) = [one for one in self.listed(known)["data"] if one["id"] == name]
        return found["geniehive"]


def test_a_name_is_listed_once_with_all_its_services():
    assert Gateway().listed() == {
        "object": "list",
        "data": [
            {
                "id": "h/a",
                "object": "model",
                "created": 0,
                "owned_by": "h",
                "geniehive": {
                    "route_type": "service",
                    "service_id": "h/a",
                    "host_id": "h",
                    "operation": "chat",
                    "operations": ["chat"],
                    "services": ["h/a"],
                    "effective_request_policy": None,
                },
            },
            {
                "id": "m",
                "object": "model",
                "created": 0,
                "owned_by": "h",
                "geniehive": {
                    "asset_id": "m",
                    "route_type": "asset",
                    "service_id": "h/b",
                    "host_id": "h",
                    "operation": "chat",
                    "operations": ["chat", "embeddings"],
                    "services": ["h/a", "h/b"],
                    "effective_request_policy": None,
                },
            },
        ],
    }


def test_while_nothing_changes_the_list_is_not_made_again():
    gateway = Gateway()
    first = finished(gateway.models.listing(NOTHING))
    assert finished(gateway.models.listing(NOTHING)) is first


def test_whatever_changes_the_next_list_shows_it():
    gateway = Gateway()
    assert gateway.ids() == ["h/a", "m"]
    gateway.change(target("modèle", ("h/b", 1)))
    assert gateway.ids() == ["h/a", "m", "modèle"]
    gateway.change(gone=["target/chat/modèle", "target/chat/m", "target/embeddings/m"])
    assert gateway.ids() == ["h/a"]
    gateway.change(target("n", ("h/b", 1)))
    assert gateway.ids() == ["h/a", "n"]
    gateway.change(gone=["service/h/b"])
    assert gateway.ids() == ["h/a"]


def test_routes_that_change_while_the_list_is_made_are_in_the_next_one():
    gateway = Gateway()
    making = gateway.models.listing(NOTHING)
    next(making)
    gateway.change(target("n", ("h/b", 1)), gone=["target/chat/m", "target/embeddings/m"])
    finished(making)

    assert gateway.ids() == ["h/a", "n"]


def test_only_what_changed_is_made_again():
    gateway = Gateway()
    one, other = told_service("h/a", told_asset("a")), told_service("h/b", told_asset("m"))
    known = told(services=[one, other])
    gateway.listed(known)
    before = dict(gateway.models._items)
    gateway.listed(Known({}, {**known.services, "h/a": Entry(one, b"")}, {}))

    assert gateway.models._items["m"] is not before["m"]  # h/a serves it, too
    assert gateway.models._items["h/a"] is not before["h/a"]
    gateway = Gateway(
        service("h/a"), service("h/b"), target("a", ("h/a", 1)), target("b", ("h/b", 1))
    )
    gateway.listed(known)
    before = dict(gateway.models._items)
    gateway.listed(Known({}, {**known.services, "h/a": Entry(one, b"")}, {}))
    assert gateway.models._items["a"] is not before["a"]
    assert gateway.models._items["b"] is before["b"]


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ((), ["h/a", "m", "mentor"]),
        (("role",), ["mentor"]),
        (("asset",), ["m"]),
        (("service",), ["h/a"]),
        ((None, "embeddings"), ["m"]),
        (("role", "embeddings"), []),
    ],
)
def test_a_part_of_the_list_can_be_asked_for(asked, ids):
    gateway = Gateway(*OFFERED, target("mentor", role=True))
    assert gateway.ids(*asked) == ids


def test_a_role_is_listed_whether_or_not_somebody_serves_it_now():
    gateway = Gateway()
    gateway.change(
        target("mentor", role=True),
        target("tutor", role=True, fallback_roles=["general"]),
        target("general", ("h/b", 1), role=True),
    )

    assert gateway.listed()["data"][3]["owned_by"] == "geniehive-role"
    assert gateway.item("mentor")["services"] == []
    assert gateway.item("tutor")["services"] == ["h/b"]


def test_a_role_tells_who_serves_itself_and_not_its_fallbacks():
    gateway = Gateway(
        *OFFERED,
        policy(7, body_defaults='{"temperature":0.2}'),
        target("mentor", ("h/a", 1, {"policy_id": 7}), role=True),
        target("tutor", role=True, fallback_roles=["mentor"]),
    )
    known = told(
        roles=[
            told_role("mentor", candidate_count=3, loaded_candidate_count=2, latency_ms=900),
            told_role("tutor", fallback_roles=["mentor"]),
        ]
    )

    mentor, tutor = gateway.item("mentor", known), gateway.item("tutor", known)
    assert (mentor["healthy_target_count"], mentor["loaded_target_count"]) == (3, 2)
    assert mentor["best_p50_latency_ms"] == 900
    assert mentor["effective_request_policy"]["body_defaults"] == {"temperature": 0.2}
    assert mentor["offload_hint"]["suitability"] == "good_for_low_complexity"
    assert mentor["routing_policy"]["min_context"] is None
    assert tutor["healthy_target_count"] == 0
    assert tutor["offload_hint"]["suitability"] == "cold_only"
    assert tutor["effective_request_policy"] == mentor["effective_request_policy"]


def test_an_asset_is_told_with_all_who_serve_it():
    gateway = Gateway(
        service("h/a"),
        service("i/b", host_id="i"),
        target("m", ("h/a", 1), ("i/b", 2)),
    )
    known = told(
        hosts=[told_host("i", trust_tier="lab", workload_classes=["background"])],
        services=[
            told_service("h/a", told_asset("m", loaded=False), told_asset("n"), latency_ms=100),
            told_service(
                "i/b",
                told_asset("m", context_tokens=8192),
                told_asset("o"),
                latency_ms=2_000,
                roles=[{"role_id": "mentor", "asset_id": "m"}, {"role_id": "x", "asset_id": "o"}],
            ),
        ],
    )

    item = gateway.item("m", known)
    assert (item["service_id"], item["services"]) == ("i/b", ["h/a", "i/b"])
    assert (item["trust_tier"], item["workload_classes"]) == ("lab", ["background"])
    assert item["loaded_asset_count"] == 1
    assert [one["asset_id"] for one in item["assets"]] == ["m"]
    assert item["assets"][0]["max_context_tokens"] == 8192
    assert item["assets"][0]["capabilities"] == []
    assert item["assets"][0]["digest"] is None
    assert item["roles"] == ["mentor"]
    assert item["observed"]["p50_latency_ms"] == 2_000
    assert item["offload_hint"] == {
        "operation": "chat",
        "suitability": "usable_for_background_tasks",
        "recommended_for": "lower-complexity offload",
        "inference_basis": {"loaded_target_count": 1, "best_p50_latency_ms": 2_000},
    }


# What clients of the first GenieHive read.
OF_SERVICES = (
    "route_type service_id host_id operation protocol endpoint health availability trust_tier"
    " device_class workload_classes loaded_asset_count assets runtime observed"
    " effective_request_policy offload_hint"
)
OF_ROLES = (
    "route_type role_id display_name operation modality healthy_target_count"
    " loaded_target_count best_p50_latency_ms offload_hint routing_policy"
    " effective_request_policy"
)


def test_no_field_is_missing():
    gateway = Gateway(*OFFERED, target("mentor", role=True))
    known = told(
        [told_host("h")],
        [told_service("h/a", told_asset("m")), told_service("h/b", told_asset("m"))],
        [told_role("mentor")],
    )

    assert set(OF_SERVICES.split()) <= gateway.item("h/a", known).keys()
    assert {*OF_SERVICES.split(), "asset_id"} <= gateway.item("m", known).keys()
    assert set(OF_ROLES.split()) <= gateway.item("mentor", known).keys()


def test_a_service_with_many_assets_holds_nobody_up():
    """Each has an entry of its own: to look at all of them for each would take seconds."""
    names = [f"m{number}" for number in range(1_000)]
    gateway = Gateway(
        service("h/a"), target("h/a", ("h/a", 1)), *(target(name, ("h/a", 1)) for name in names)
    )
    known = told(
        services=[told_service("h/a", *(told_asset(one, loaded=one == "m7") for one in names))]
    )
    began = time.process_time()
    listed = gateway.listed(known)["data"]

    assert time.process_time() - began < 1.5
    found = {one["id"]: one["geniehive"] for one in listed}
    assert len(found["h/a"]["assets"]) == 1_000
    assert [one["asset_id"] for one in found["m7"]["assets"]] == ["m7"]
    assert (found["m7"]["loaded_asset_count"], found["m8"]["loaded_asset_count"]) == (1, 0)
