"""Names resolve to candidates by the table alone."""

import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control.api.errors import ModelNotFound, NoHealthyRoute, NotReady, OperationMismatch
from gateway.routes import Routes, read_resource, shown
from gateway.table import Replica, Unusable

CHAT, EMBEDDINGS = inventory.OPERATION_CHAT, inventory.OPERATION_EMBEDDINGS


class StubUpstream:
    def __init__(self, service_id, origin):
        self.service_id, self.origin, self.host_id = service_id, origin, ""
        self.in_flight = self.elsewhere = 0
        self.moves, self.retired = [], False

    def move(self, origin):
        self.origin = origin
        self.moves.append(origin)

    def retire(self):
        self.retired = True


def service(service_id, address="127.0.0.1:80", **endpoint):
    fields = {"scheme": "http", "address": address, "kind": inventory.ENDPOINT_KIND_DIRECT}
    return pb.Resource(
        name=f"service/{service_id}",
        service=pb.RouteService(
            service_id=service_id,
            host_id="h",
            endpoint=inventory.Endpoint(**{**fields, **endpoint}),
        ),
    )


def target(name, *candidates, operation=CHAT):
    return pb.Resource(
        name=f"target/{operation}/{name}",
        target=pb.Target(
            name=name,
            operation=operation,
            candidates=[
                pb.Candidate(service_id=one, asset_id="a", score=score) for one, score in candidates
            ],
        ),
    )


def replica(*resources, carried=()):
    found = Replica(read_resource)
    found.current = {one.name: read_resource(one) for one in resources}
    found.carried = {one.name: read_resource(one) for one in carried}
    return found


def routes(*resources, carried=()):
    found = Routes(StubUpstream)
    found.replace(replica(*resources, carried=carried))
    return found


def services(route):
    return [choice.upstream.service_id for choice in route.choices]


def test_candidates_are_ordered_by_score_then_id():
    found = routes(
        *map(service, ("h/a", "h/b", "h/c")), target("m", ("h/c", 1), ("h/a", 0), ("h/b", 1))
    ).resolve(CHAT, "m")

    assert services(found) == ["h/b", "h/c", "h/a"]
    assert len(found.equals) == 2


def test_a_candidate_whose_service_is_unknown_waits_for_it():
    found = routes(service("h/a"), target("m", ("h/a", 0), ("h/b", 1)))
    assert services(found.resolve(CHAT, "m")) == ["h/a"]

    found.replace(replica(service("h/a"), service("h/b"), target("m", ("h/a", 0), ("h/b", 1))))
    assert services(found.resolve(CHAT, "m")) == ["h/b", "h/a"]


def test_what_was_carried_over_stays_until_its_service_is_heard_of():
    """Two hosts have one model; after a restart control has heard of one of them."""
    before = (service("h/a"), service("h/b"), target("m", ("h/a", 1), ("h/b", 1)))

    found = routes(service("h/a"), target("m", ("h/a", 1)), carried=before)
    assert services(found.resolve(CHAT, "m")) == ["h/a", "h/b"]

    found = routes(*before[:2], target("m", ("h/a", 1)), carried=before)
    assert services(found.resolve(CHAT, "m")) == ["h/a"]


@pytest.mark.parametrize(
    ("operation", "name", "error"),
    [
        (CHAT, "nobody", ModelNotFound),
        (CHAT, "", ModelNotFound),
        (CHAT, "x" * 10_000, ModelNotFound),
        (CHAT, "m\n", ModelNotFound),
        (CHAT, "\u202em", ModelNotFound),
        (CHAT, "cold", NoHealthyRoute),
        (EMBEDDINGS, "m", OperationMismatch),
    ],
)
def test_a_name_that_cannot_be_served_says_why(operation, name, error):
    found = routes(service("h/a"), target("m", ("h/a", 1)), target("cold"))

    with pytest.raises(error) as caught:
        found.resolve(operation, name)

    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_a_near_name_is_shown():
    found = routes(service("h/a"), target("qwen3:8b", ("h/a", 1)))

    with pytest.raises(ModelNotFound, match="similar: qwen3:8b; all: GET /v1/models"):
        found.resolve(CHAT, "qwen3:8")


def test_before_the_first_table_nothing_is_unknown():
    with pytest.raises(NotReady):
        Routes(StubUpstream).resolve(CHAT, "m")


def test_an_upstream_lives_on_when_the_table_changes():
    """Its in-flight count belongs to whoever opened the connections."""
    found = routes(service("h/a"), service("h/b"))
    first, second = found.upstreams["h/a"], found.upstreams["h/b"]
    first.in_flight = 3

    found.replace(replica(service("h/a", "127.0.0.1:81")))

    assert found.upstreams == {"h/a": first}
    assert [origin.port for origin in first.moves] == [81]
    assert second.retired


def test_a_service_that_returns_is_as_busy_as_it_was():
    found = routes(service("h/a"))
    upstream = found.upstreams["h/a"]
    upstream.in_flight = 3
    found.replace(replica())
    assert [one.in_flight for one in found.busy()] == [3]
    assert upstream.retired

    found.replace(replica(service("h/a")))
    assert found.upstreams == {"h/a": upstream}
    found.replace(replica())
    upstream.in_flight = 0
    found.replace(replica())
    assert not found.busy()


def test_models_are_assets_that_can_be_asked_for_now():
    found = routes(
        service("h/a"), target("m", ("h/a", 1)), target("h/a", ("h/a", 1)), target("cold")
    )

    assert found.models() == {"m": ["h/a"]}


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
        target(""),
        target("m", operation=0),
        target("m", operation=99),
        target("m", ("", 1)),
        target("m", ("h/a", float("nan"))),
        pb.Resource(key=pb.ClientKey(principal_id="a", key_hash=b"x" * 32)),
        pb.Resource(name="empty"),
    ],
    ids=str,
)
def test_what_a_gateway_cannot_act_on_is_unusable(resource):
    with pytest.raises(Unusable):
        read_resource(resource)


def test_a_name_is_shown_harmless():
    assert shown('a"b\x1b[2J\u202e') == '"a"b\\x1b[2J\\u202e"'
    assert len(shown("x" * 10_000)) < 90


def test_headers_hold_names_of_any_alphabet():
    found = routes(service("h/a"), target("modèle\r\n", ("h/a", 1)))

    head = found.resolve(CHAT, "modèle\r\n").choices[0].head
    assert head.startswith(b"x-geniehive-route: mod%C3%A8le%0D%0A\r\n")
