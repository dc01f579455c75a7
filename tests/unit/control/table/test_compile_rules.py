"""What roles and other rules mean for the route table."""

import pytest

from control.api.priorities import Priority
from control.api.strategies import Strategy
from control.inventory import Operation, RequestPolicy
from control.policy.effective import policy_id
from control.ranking.offering import Rules
from control.ranking.presets import LEGACY, SEED
from control.ranking.roles import Role, RoutingPolicy
from control.ranking.subject import Signals, Subject
from control.ranking.waiting import Waiting
from control.table.compile import Compiler, Entry
from control.table.diff import apply
from control.table.offered import Presence
from control.table.resources import RoomSettings, Target, TargetPatch, policy_name
from tests.unit.control.builders import asset, host, service

ROLE = "target/chat/mentor"
PROMPT = RequestPolicy(system_prompt="You are a mentor.")


class Table:
    """A compiler and the table that its deltas make."""

    def __init__(self, *, settled=True):
        self.compiler = Compiler()
        self.resources = {}
        if settled:
            self.compiler.settle()

    def take(self, service_id, *assets, presence=Presence.ROUTABLE, signals=None, **facts):
        offered = service(service_id, *(assets or (asset("m", loaded=True),)))
        subject = Subject(host(offered.host_id, **facts), offered, signals or Signals())
        self.compiler.take(service_id, Entry(subject, presence))

    def make(self, limit=10**9):
        delta = self.compiler.make(self.resources, limit)
        apply(self.resources, 0, delta)
        return delta

    def rule(self, *roles, **fields):
        self.compiler.rule(Rules({role.role_id: role for role in roles}, **fields))

    def serving(self, name):
        return [one.service_id for one in self.resources[name].body.candidates]


def role(role_id="mentor", operation=Operation.CHAT, **fields):
    return Role(role_id, operation, **fields)


@pytest.fixture
def table():
    table = Table()
    for n in range(20):
        table.take(f"h{n}/s")
    table.rule(role())
    table.make()
    return table


def test_everybody_who_may_serves_a_role(table):
    assert len(table.serving(ROLE)) == 20
    assert table.resources[ROLE].body.dispatch.role


def test_who_may_not_is_no_candidate(table):
    table.rule(role(routing=RoutingPolicy(denied_trust_tiers=("public",))))
    table.take("h1/s", trust_tier="public")
    table.make()

    assert "h1/s" not in table.serving(ROLE)
    assert len(table.serving(ROLE)) == 19


def test_a_host_that_becomes_another_serves_other_roles(table):
    table.rule(role(routing=RoutingPolicy(allowed_trust_tiers=("lab",))))
    table.make()
    assert table.serving(ROLE) == []
    table.take("h1/s", trust_tier="lab")
    table.make()

    assert table.serving(ROLE) == ["h1/s"]


def test_a_role_that_is_removed_is_gone(table):
    table.rule(role("other"))
    delta = table.make()

    assert ROLE in delta.tombstones
    assert "mentor" not in table.compiler.targets["chat"]
    assert len(table.serving("target/chat/other")) == 20


def test_a_role_without_any_service_is_known():
    table = Table()
    table.rule(role())
    table.make()

    assert table.resources[ROLE].body == Target(
        "mentor", Operation.CHAT, (), table.resources[ROLE].body.dispatch
    )
    assert table.compiler.targets["chat"]["mentor"] == ()


def test_nobody_is_told_that_none_serves_a_role_before_hosts_could_come_back():
    """Gateways that outlived control's last life still reach somebody."""
    table = Table(settled=False)
    table.rule(role())
    table.make()
    assert ROLE not in table.resources
    assert table.compiler.targets["chat"]["mentor"] == ()

    table.compiler.settle()
    table.make()
    assert table.serving(ROLE) == []


def test_a_role_is_told_then_although_who_is_back_cannot_serve_it():
    table = Table(settled=False)
    table.rule(role())
    table.take("h1/s", presence=Presence.UNROUTABLE)
    table.make()
    assert ROLE not in table.resources

    table.compiler.settle()
    table.make()
    assert table.serving(ROLE) == []


def test_a_role_is_told_before_that_as_soon_as_somebody_serves_it():
    table = Table(settled=False)
    table.rule(role())
    table.take("h1/s")
    table.make()
    assert table.serving(ROLE) == ["h1/s"]

    table.take("h1/s", presence=Presence.UNROUTABLE)
    table.make()
    assert table.serving(ROLE) == []


def test_a_role_owns_its_name():
    table = Table()
    table.take("h1/s", asset("mentor", loaded=True))
    table.take("h2/s")
    table.rule(role())
    table.make()
    assert table.serving(ROLE) == ["h1/s", "h2/s"]
    assert table.serving("target/chat/asset/mentor") == ["h1/s"]

    table.rule()
    table.make()
    assert table.serving(ROLE) == ["h1/s"]
    assert "target/chat/asset/mentor" not in table.resources


@pytest.mark.parametrize("strategy", Strategy)
def test_a_target_tells_how_it_is_dispatched(table, strategy):
    table.rule(role(routing=RoutingPolicy(strategy=strategy), stand_ins=("a", "b")))
    table.make()
    dispatch = table.resources[ROLE].body.dispatch
    direct = table.resources["target/chat/m"].body.dispatch

    assert (dispatch.strategy, dispatch.stand_ins) == (strategy, ("a", "b"))
    assert (direct.strategy, direct.role, direct.stand_ins) == (Strategy.LEAST_LOADED, False, ())
    # .30 of what waiting costs a role, .45 of what it costs a service.
    assert dispatch.queue_steps == ((2, 0.03), (5, 0.06))
    assert direct.queue_steps == ((2, 0.045), (5, 0.09))


def test_the_default_strategy_is_that_of_names_and_of_roles_without_one(table):
    table.rule(role(), strategy=Strategy.ROUND_ROBIN)
    table.make()

    assert {one.body.dispatch.strategy for one in targets(table)} == {Strategy.ROUND_ROBIN}


def test_other_weights_are_told(table):
    table.rule(role(), scoring=LEGACY)
    table.make()

    assert len(table.resources["target/chat/m"].body.dispatch.queue_steps) == 5
    assert table.resources[ROLE].body.candidates[0].runtime == 0.0875


def test_another_strategy_alone_is_told_whole(table):
    """A patch has no place for it."""
    table.rule(role(routing=RoutingPolicy(strategy="power_of_two")))
    delta = table.make()

    assert [(one.name, one.patch) for one in delta.upserts] == [(ROLE, None)]


def test_one_service_that_changes_is_one_candidate_of_each_role(table):
    table.rule(*(role(f"r{n}") for n in range(10)))
    table.make()
    table.take("h7/s", signals=Signals(0.2, 50.0))
    delta = table.make()
    patches = [one.patch.body for one in delta.upserts if one.patch]

    assert len(patches) == 10 + 1  # and the asset
    for patch in patches:
        assert isinstance(patch, TargetPatch)
        assert ([one.service_id for one in patch.upserts], patch.removed) == (["h7/s"], ())


def test_a_policy_comes_before_who_refers_to_it_and_goes_after_the_last_one(table):
    name = policy_name(PROMPT)
    table.rule(role(request_policy=PROMPT))
    held = set()
    while table.compiler.waiting:
        delta = table.make(limit=3)
        held |= {one.name for one in delta.upserts}
        for one in targets(table):
            assert all(name in held for candidate in one.body.candidates if candidate.policy)
    assert table.resources[name].body.policy_id == policy_id(PROMPT)

    table.rule(role())
    while table.compiler.waiting:
        delta = table.make(limit=3)
        referred = any(
            candidate.policy for one in targets(table) for candidate in one.body.candidates
        )
        assert name in table.resources or not referred
    assert name not in table.resources


def test_a_policy_is_there_once_however_many_refer_to_it(table):
    table.rule(*(role(f"r{n}", request_policy=PROMPT) for n in range(10)))
    delta = table.make()

    assert [one.name for one in delta.upserts].count(policy_name(PROMPT)) == 1


def test_new_rules_are_followed_in_small_steps_and_what_happens_comes_between(table):
    roles = [role(f"r{n}") for n in range(20)]
    table.rule(*roles)
    table.make(limit=10)
    table.take("h7/s", presence=Presence.UNROUTABLE)
    steps = 0
    while "h7/s" in table.serving("target/chat/m"):
        table.make(limit=30)
        steps += 1

    assert table.compiler.waiting  # most of the others still follow the old rules
    assert steps < 10
    fresh = Table()
    for n in range(20):
        away = Presence.UNROUTABLE if n == 7 else Presence.ROUTABLE
        fresh.take(f"h{n}/s", presence=away)
    fresh.rule(*roles)
    fresh.make()
    while table.compiler.waiting:
        table.make(limit=30)
    assert table.resources == fresh.resources
    assert table.compiler.targets == fresh.compiler.targets


@pytest.mark.parametrize("limit", [5, 21, 22, 23, 30])
def test_a_service_that_goes_down_waits_for_one_other_however_many_roles_there_are(table, limit):
    table.rule(*(role(f"r{n}") for n in range(20)), scoring=LEGACY)
    table.make(limit)
    table.take("h7/s", presence=Presence.UNROUTABLE)
    steps = 0
    while "h7/s" in table.serving("target/chat/m"):
        table.make(limit)
        steps += 1

    assert table.compiler.waiting > 15
    assert steps <= 2 + 3 * 24 // limit  # each service is offered for 22 names


def test_rules_that_change_again_and_again_lead_where_the_last_ones_do(table):
    """Also those that come while a service is being judged."""
    for n in range(9):
        names = [f"r{n % 4}", f"r{n % 3 + 4}", *(["m"] if n % 2 else [])]
        scoring = LEGACY if n % 2 else SEED
        table.rule(*(role(name, request_policy=PROMPT) for name in names), scoring=scoring)
        table.take(f"h{n}/s", presence=Presence.UNROUTABLE)
        table.make(limit=n + 1)
    while table.compiler.waiting:
        table.make(limit=3)

    fresh = Table()
    for n in range(20):
        fresh.take(f"h{n}/s", presence=Presence.UNROUTABLE if n < 9 else Presence.ROUTABLE)
    fresh.rule(*(role(name, request_policy=PROMPT) for name in names), scoring=scoring)
    fresh.make()
    assert table.resources == fresh.resources


def test_rules_that_change_while_a_service_is_judged_lose_no_name_of_it():
    table = Table()
    table.take("h1/s", asset("a"), asset("b"), asset("z"))
    table.make()
    table.rule(role("z"))
    table.make(limit=1)
    table.rule(role("z"), role("y"))
    while table.compiler.waiting:
        table.make(limit=1)

    assert table.serving("target/chat/asset/z") == ["h1/s"]


def test_a_role_that_is_for_another_operation_now_is_gone_for_the_old_one(table):
    table.rule(role(operation=Operation.EMBEDDINGS))
    table.make()

    assert ROLE not in table.resources
    assert table.serving("target/embeddings/mentor") == []


def test_a_new_role_is_told_when_all_have_been_judged_by_it(table):
    """Never of the first service alone, and never of those that asked-for assets had before."""
    table.take("h7/s", trust_tier="guest")
    table.make()
    strict = RoutingPolicy(denied_trust_tiers=("guest",))
    table.rule(role(), role("new"), role("m", routing=strict))
    told = []
    while table.compiler.waiting:
        told += [one.body for one in table.make(limit=10).upserts if isinstance(one.body, Target)]

    roles = [(one.name, len(one.candidates)) for one in told if one.dispatch.role]
    assert sorted(roles) == [("m", 19), ("new", 20)]
    assert "h7/s" not in table.serving("target/chat/m")


def test_a_service_that_goes_while_rules_change_is_gone(table):
    table.rule(role("other"))
    table.compiler.take("h7/s", None)
    table.make()

    assert "h7/s" not in table.serving("target/chat/other")
    assert "service/h7/s" not in table.resources


def targets(table):
    return [one for one in table.resources.values() if isinstance(one.body, Target)]


def test_how_requests_wait_is_told_with_the_first_rules_before_anybody_is_there():
    table = Table(settled=False)
    table.rule()

    assert table.compiler.waiting == 1
    (room,) = table.make().upserts
    assert (room.name, room.body) == ("room", RoomSettings(True, Priority.NORMAL, Priority.HIGH))
    assert table.compiler.waiting == 0


def test_how_requests_wait_is_told_again_when_it_changes(table):
    before = table.resources["room"]
    table.rule(role(), waiting=Waiting(on=False, usual=Priority.LOW, highest=Priority.NORMAL))
    delta = table.make()

    assert [one.name for one in delta.upserts] == ["room"]
    assert delta.upserts[0].body == RoomSettings(False, Priority.LOW, Priority.NORMAL)
    assert delta.upserts[0].hash != before.hash
    table.rule(role())
    table.make()
    assert table.resources["room"] == before


def test_the_same_rules_tell_nothing_of_the_room(table):
    table.rule(role())

    assert not table.make()


def test_a_role_tells_the_priority_of_its_requests(table):
    assert table.resources[ROLE].body.dispatch.priority is None
    before = table.resources[ROLE].hash
    table.rule(role(routing=RoutingPolicy(priority="low")))
    table.make()

    assert table.resources[ROLE].body.dispatch.priority is Priority.LOW
    assert table.resources[ROLE].hash != before
    assert table.resources["target/chat/m"].body.dispatch.priority is None
