"""Names resolve to candidates by the table alone."""

import pytest

from control.api.errors import ModelNotFound, NoHealthyRoute, NotReady, OperationMismatch
from gateway.load import Elsewhere
from gateway.resources import read_resource
from gateway.routes import Routes, shown
from gateway.steps import finished
from gateway.table import Replica
from tests.unit.gateway.pushed import (
    CHAT,
    EMBEDDINGS,
    StubUpstream,
    follow_all,
    policy,
    service,
    target,
)
from tests.unit.gateway.updates import Control


def replica(*resources, carried=()):
    found = Replica(read_resource)
    found.current = {one.name: read_resource(one) for one in resources}
    found.carried = {one.name: read_resource(one) for one in carried}
    return found


def routes(*resources, carried=()):
    found = Routes(StubUpstream)
    follow_all(found, replica(*resources, carried=carried))
    return found


def services(route):
    return [choice.upstream.service_id for choice in route.choices]


def test_candidates_are_ordered_by_tier_then_score_then_id():
    found = routes(
        *map(service, ("h/a", "h/b", "h/c", "h/d")),
        target("m", ("h/c", 1), ("h/a", 0), ("h/d", 1, {"tier": 1}), ("h/b", 1)),
    ).resolve(CHAT, "m")

    assert services(found) == ["h/b", "h/c", "h/a", "h/d"]
    assert [one.upstream.service_id for one in found.pool] == ["h/b", "h/c", "h/a"]


def test_a_candidate_whose_service_is_unknown_waits_for_it():
    found = routes(service("h/a"), target("m", ("h/a", 0), ("h/b", 1)))
    assert services(found.resolve(CHAT, "m")) == ["h/a"]

    follow_all(found, replica(service("h/a"), service("h/b"), target("m", ("h/a", 0), ("h/b", 1))))
    assert services(found.resolve(CHAT, "m")) == ["h/b", "h/a"]


def test_what_was_carried_over_stays_until_its_service_is_heard_of():
    """Two hosts have one model; after a restart control has heard of one of them."""
    before = (service("h/a"), service("h/b"), target("m", ("h/a", 1), ("h/b", 1)))

    found = routes(service("h/a"), target("m", ("h/a", 1)), carried=before)
    assert services(found.resolve(CHAT, "m")) == ["h/a", "h/b"]

    found = routes(*before[:2], target("m", ("h/a", 1)), carried=before)
    assert services(found.resolve(CHAT, "m")) == ["h/a"]


def test_a_service_that_is_heard_of_without_a_name_loses_it():
    """After a restart, control knew the name by another service before it heard of this one."""
    before = (service("h/a"), service("h/b"), target("m", ("h/a", 1), ("h/b", 1)))
    table = replica(target("m", ("h/b", 1)), carried=before)
    found = Routes(StubUpstream)
    follow_all(found, table)
    assert services(found.resolve(CHAT, "m")) == ["h/a", "h/b"]

    heard = service("h/a")
    table.current[heard.name] = read_resource(heard)
    finished(found.follow(table, {heard.name: None}))

    assert services(found.resolve(CHAT, "m")) == ["h/b"]


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


def test_latest_is_what_a_name_without_a_tag_means_where_nobody_offers_that():
    offered = (service("h/a"), service("h/b"), target("qwen3", ("h/a", 1)))
    found = routes(*offered)

    assert services(found.resolve(CHAT, "qwen3:latest")) == ["h/a"]
    assert [services(one) for one in found.succession(CHAT, "qwen3:latest")] == [["h/a"]]
    assert found.services("qwen3:latest") == ["h/a"]
    for name in ("llama:latest", ":latest", "qwen3:latest:latest"):
        with pytest.raises(ModelNotFound):
            found.resolve(CHAT, name)
    with pytest.raises(OperationMismatch):
        found.resolve(EMBEDDINGS, "qwen3:latest")

    both = routes(*offered, target("qwen3:latest", ("h/b", 1)))
    assert services(both.resolve(CHAT, "qwen3:latest")) == ["h/b"]


def test_before_the_first_table_nothing_is_unknown():
    with pytest.raises(NotReady):
        Routes(StubUpstream).resolve(CHAT, "m")


def test_until_a_table_is_settled_a_name_that_is_not_there_may_come():
    """A large table comes in parts, and hosts come back one after the other."""
    control = Control()
    control.settled = False
    table = Replica(read_resource)
    found = Routes(StubUpstream)

    def follow(update):
        finished(found.follow(table, table.apply(update).names))

    follow(control.snapshot())
    follow(control.delta([service("h/a"), target("m", ("h/a", 1))]))
    assert services(found.resolve(CHAT, "m")) == ["h/a"]
    for ask in (lambda: found.resolve(CHAT, "m2"), lambda: found.services("m2")):
        with pytest.raises(NotReady, match=r'"m2" is known yet.*; similar: m'):
            ask()

    control.settled = True
    follow(control.delta())
    with pytest.raises(ModelNotFound):
        found.resolve(CHAT, "m2")


def test_a_table_of_an_earlier_life_of_the_gateway_was_whole():
    table = Replica(read_resource)
    control = Control()
    control.delta([service("h/a"), target("m", ("h/a", 1))])
    found = Routes(StubUpstream)
    finished(found.follow(table, table.carry(control.snapshot()).names))

    with pytest.raises(ModelNotFound):
        found.resolve(CHAT, "later")


def test_an_upstream_lives_on_when_the_table_changes():
    """Its in-flight count belongs to whoever opened the connections."""
    found = routes(service("h/a"), service("h/b"))
    first, second = found.upstreams["h/a"], found.upstreams["h/b"]
    first.in_flight = 3

    follow_all(found, replica(service("h/a", "127.0.0.1:81")))

    assert found.upstreams == {"h/a": first}
    assert [origin.port for origin in first.moves] == [81]
    assert second.retired


def test_a_service_that_returns_is_as_busy_as_it_was():
    found = routes(service("h/a"))
    upstream = found.upstreams["h/a"]
    upstream.in_flight = 3
    follow_all(found, replica())
    assert [one.in_flight for one in found.busy()] == [3]
    assert upstream.retired

    follow_all(found, replica(service("h/a")))
    assert found.upstreams == {"h/a": upstream}
    follow_all(found, replica())
    upstream.in_flight = 0
    follow_all(found, replica())
    assert not found.busy()


def test_what_others_have_is_what_was_told_last_of_a_service_that_comes_too():
    found = routes(service("h/a"))
    found.set_elsewhere({"h/a": Elsewhere(2), "h/b": Elsewhere(3, 1, 0.5)})
    follow_all(found, replica(service("h/a"), service("h/b")))
    one, other = found.upstreams["h/a"], found.upstreams["h/b"]
    assert (one.elsewhere, other.elsewhere, other.pending_elsewhere) == (2, 4, 0.5)

    one.in_flight = 1
    follow_all(found, replica(service("h/b")))  # the first is away, and not told of it
    found.set_elsewhere({"h/c": Elsewhere(1)})
    assert (other.elsewhere, other.queue_depth, other.pending_elsewhere) == (0, 0, 0.0)
    follow_all(found, replica(service("h/a")))
    assert found.upstreams == {"h/a": one}
    assert one.elsewhere == 0


def test_names_are_those_of_services_too_also_where_nobody_serves_them_now():
    found = routes(
        service("h/a"), target("m", ("h/a", 1)), target("h/a", ("h/a", 1)), target("cold")
    )

    assert found.names() == ["cold", "h/a", "m"]
    assert [name for name in found.names() if found.serving(name)] == ["h/a", "m"]


def test_a_name_is_shown_harmless():
    assert shown('a"b\x1b[2J\u202e') == '"a"b\\x1b[2J\\u202e"'
    assert len(shown("x" * 10_000)) < 90


def test_headers_hold_names_of_any_alphabet():
    found = routes(service("h/a"), target("modèle\r\n", ("h/a", 1)))

    head = found.resolve(CHAT, "modèle\r\n").choices[0].head
    assert head.startswith(b"x-geniehive-route: mod%C3%A8le%0D%0A\r\n")


class TestServices:
    """Who can be asked for a name, whatever for."""

    TABLE = (
        service("h/a"),
        service("h/b"),
        target("m", ("h/b", 1)),
        target("m", ("h/a", 1), ("h/b", 0), operation=EMBEDDINGS),
        target("h/a", ("h/a", 1), operation=EMBEDDINGS),
        target("gone"),
        target("half"),
        target("half", ("h/a", 1), operation=EMBEDDINGS),
    )

    @pytest.mark.parametrize(
        ("name", "expected"), [("m", ["h/a", "h/b"]), ("h/a", ["h/a"]), ("half", ["h/a"])]
    )
    def test_are_those_of_all_operations(self, name, expected):
        assert routes(*self.TABLE).services(name) == expected

    @pytest.mark.parametrize(("name", "error"), [("x", ModelNotFound), ("gone", NoHealthyRoute)])
    def test_an_unknown_name_is_told_from_one_that_nobody_serves_now(self, name, error):
        with pytest.raises(error):
            routes(*self.TABLE).services(name)

    def test_nothing_is_known_before_a_table_has_come(self):
        with pytest.raises(NotReady):
            Routes(StubUpstream).services("m")


def test_a_candidate_waits_for_its_policy():
    """Without it the engine would get the request without its prompt."""
    with_policy = target("m", ("h/a", 1, {"policy_id": 7}), ("h/b", 0))
    table = replica(service("h/a"), service("h/b"), with_policy)
    found = Routes(StubUpstream)
    follow_all(found, table)
    assert services(found.resolve(CHAT, "m")) == ["h/b"]

    came = policy(7)
    table.current[came.name] = read_resource(came)
    finished(found.follow(table, {came.name: None}))

    assert services(found.resolve(CHAT, "m")) == ["h/a", "h/b"]
    assert found.resolve(CHAT, "m").choices[0].shaper is table.current[came.name].shaper


def test_a_role_that_nobody_serves_is_served_by_the_first_stand_in_that_can():
    found = routes(
        service("h/a"),
        target("mentor", role=True, fallback_roles=["gone", "tutor", "general"]),
        target("tutor", role=True),
        target("general", ("h/a", 1), role=True),
    )

    assert found.resolve(CHAT, "mentor") is found.resolve(CHAT, "general")
    assert found.serving("mentor") == ["h/a"]
    with pytest.raises(NoHealthyRoute, match='no service can serve "tutor" now'):
        found.resolve(CHAT, "tutor")


def test_stand_ins_come_after_the_route_itself():
    found = routes(
        *map(service, ("h/a", "h/b")),
        target("mentor", ("h/a", 1), role=True, fallback_roles=["general"]),
        target("general", ("h/b", 1), role=True),
    )

    order = [services(one) for one in found.succession(CHAT, "mentor")]

    assert order == [["h/a"], ["h/b"]]
    assert services(found.resolve(CHAT, "mentor")) == ["h/a"]


def test_stand_ins_that_lead_in_a_circle_end():
    found = routes(
        target("a", role=True, fallback_roles=["b", "a"]),
        target("b", role=True, fallback_roles=["a", "b"]),
    )

    for name in "ab":
        with pytest.raises(NoHealthyRoute):
            found.resolve(CHAT, name)


def test_a_change_of_one_candidate_leaves_the_others_as_they_are():
    control, table = Control(), Replica(read_resource)
    found = Routes(StubUpstream)
    names = [f"h/{number}" for number in range(20)]

    def follow(update):
        finished(found.follow(table, table.apply(update).names))

    held = target("m", *((name, 0.5) for name in names))
    follow(control.snapshot())
    follow(control.delta([*map(service, names), held]))
    before = found.resolve(CHAT, "m")
    before.asked(before.choices[3])
    kept = {choice.upstream.service_id: choice for choice in before.choices}

    follow(control.patch(held, [("h/7", 0.9)], ["h/3"]))

    after = found.resolve(CHAT, "m")
    assert after is before
    assert services(after)[0] == "h/7"
    assert "h/3" not in services(after)
    assert sum(kept[one.upstream.service_id] is one for one in after.choices) == 18
    assert after.next_in_turn().upstream.service_id == "h/12"


def test_roles_are_told_from_assets():
    found = routes(service("h/a"), target("mentor", role=True), target("m", ("h/a", 1)))

    assert found.is_role("mentor")
    assert not found.is_role("m")
    assert not found.is_role("nobody")


def test_a_policy_of_an_unheard_service_outlives_those_who_are_heard():
    """A control without a memory takes it away with the last candidate that it knows."""
    table, found = Replica(read_resource), Routes(StubUpstream)

    def follow(update):
        finished(found.follow(table, table.apply(update).names))

    def told(policy_id, *names):
        candidates = [(name, 1, {"policy_id": policy_id}) for name in names]
        return [*map(service, names), policy(policy_id), target("m", *candidates)]

    before, restarted = Control(), Control(incarnation="j")
    before.delta(told(7, "h/a", "h/b"))
    follow(before.snapshot())
    restarted.settled = False
    restarted.delta(told(7, "h/b"))
    follow(restarted.snapshot())
    follow(restarted.delta(told(8, "h/b"), [policy(7).name]))
    assert services(found.resolve(CHAT, "m")) == ["h/a", "h/b"]

    restarted.settled = True
    follow(restarted.delta())

    assert services(found.resolve(CHAT, "m")) == ["h/b"]
    assert found._shapers.keys() == {policy(8).name}


def test_policies_that_could_not_be_used_and_are_gone_leave_nothing_behind():
    control, table, found = Control(), Replica(read_resource), Routes(StubUpstream)
    update = control.snapshot()
    for number in range(1, 4):
        finished(found.follow(table, table.apply(update).names))
        bad = policy(number, user_template="{{7*7}}")
        wide = target("m", ("h/a", 1, {"policy_id": number}))
        update = control.delta([service("h/a"), bad, wide], [policy(number - 1).name])

    finished(found.follow(table, table.apply(update).names))

    assert found._wanting == {policy(3).name: {"target/chat/m": {"h/a"}}}
    good = policy(3)
    finished(found.follow(table, table.apply(control.delta([good])).names))
    assert services(found.resolve(CHAT, "m")) == ["h/a"]
    assert not found._wanting
