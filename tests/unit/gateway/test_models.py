"""The list of models is that of the routes now, and is made no oftener than they change."""

import json

from gateway.models import Models
from gateway.resources import read_resource
from gateway.routes import Routes
from gateway.steps import finished
from gateway.table import Replica
from tests.unit.gateway.pushed import EMBEDDINGS, StubUpstream, service, target
from tests.unit.gateway.updates import Control

OFFERED = (
    service("h/a"),
    service("h/b"),
    target("m", ("h/b", 1)),
    target("m", ("h/a", 1), operation=EMBEDDINGS),
    target("cold"),
    target("h/a", ("h/a", 1)),
)


class Gateway:
    """Routes that follow a control, and their list."""

    def __init__(self):
        self.control, self.table = Control(), Replica(read_resource)
        self.routes = Routes(StubUpstream)
        self.models = Models(self.routes)
        self.take(self.control.snapshot())
        self.change(*OFFERED)

    def take(self, update):
        finished(self.routes.follow(self.table, self.table.apply(update).names))

    def change(self, *upserts, gone=()):
        self.take(self.control.delta(upserts, gone))

    def listed(self):
        return json.loads(finished(self.models.listed()))


def test_a_model_is_listed_once_with_all_its_services():
    assert Gateway().listed() == {
        "object": "list",
        "data": [
            {
                "id": "m",
                "object": "model",
                "created": 0,
                "owned_by": "h",
                "geniehive": {"route_type": "asset", "services": ["h/a", "h/b"]},
            }
        ],
    }


def test_while_the_routes_stay_the_list_is_not_made_again():
    gateway = Gateway()
    assert finished(gateway.models.listed()) is finished(gateway.models.listed())


def test_whatever_changes_the_next_list_shows_it():
    gateway = Gateway()

    def ids():
        return [one["id"] for one in gateway.listed()["data"]]

    assert ids() == ["m"]
    gateway.change(target("modèle", ("h/b", 1)))
    assert ids() == ["m", "modèle"]
    gateway.change(gone=["target/chat/modèle", "target/chat/m", "target/embeddings/m"])
    assert ids() == []
    gateway.change(target("n", ("h/b", 1)))
    assert ids() == ["n"]
    gateway.change(gone=["service/h/b"])
    assert ids() == []


def test_routes_that_change_while_the_list_is_made_are_in_the_next_one():
    gateway = Gateway()
    making = gateway.models.listed()
    next(making)
    gateway.change(target("n", ("h/b", 1)), gone=["target/chat/m", "target/embeddings/m"])
    finished(making)

    assert [one["id"] for one in gateway.listed()["data"]] == ["n"]


def test_a_role_is_listed_whether_or_not_somebody_serves_it_now():
    gateway = Gateway()
    gateway.change(
        target("mentor", role=True),
        target("tutor", role=True, fallback_roles=["general"]),
        target("general", ("h/b", 1), role=True),
    )

    listed = {one["id"]: one for one in gateway.listed()["data"]}

    assert listed["mentor"]["owned_by"] == "geniehive-role"
    assert listed["mentor"]["geniehive"] == {"route_type": "role", "services": []}
    assert listed["tutor"]["geniehive"] == {"route_type": "role", "services": ["h/b"]}
