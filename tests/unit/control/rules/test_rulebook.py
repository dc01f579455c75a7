from pathlib import Path

import pytest

from control.api.priorities import Priority, Standing
from control.api.settings import SettingsError
from control.api.strategies import Strategy
from control.config import Auth, Config
from control.inventory import Operation
from control.ranking.offering import Rules
from control.ranking.presets import LEGACY
from control.ranking.roles import Role
from control.ranking.waiting import Waiting
from control.rules.routing_config import Routing
from control.rules.rulebook import differences, read_rules, roles_path, waiting_for_restart
from control.rules.scoring_config import Scoring


def rules(**descriptions):
    roles = {
        name: Role(name, Operation.CHAT, description=description)
        for name, description in descriptions.items()
    }
    return Rules(roles)


def test_the_environment_names_the_catalog_only_where_the_settings_do_not():
    environment = {"GENIEHIVE_ROLES_CONFIG": "of-environment.yaml"}

    assert roles_path(Config(), {}) is None
    assert roles_path(Config(), {"GENIEHIVE_ROLES_CONFIG": ""}) is None
    assert roles_path(Config(), environment) == Path("of-environment.yaml")
    assert roles_path(Config(roles_path=Path("mine.yaml")), environment) == Path("mine.yaml")


def test_without_a_catalog_there_are_no_roles():
    assert read_rules(Config(), None) == (Rules(), [])


def test_catalog_and_settings_are_the_rules(tmp_path):
    path = tmp_path / "roles.yaml"
    path.write_text("roles: [{role_id: a, operation: chat}]")
    routing = Routing(
        default_strategy=Strategy.SCORED, scoring=Scoring(preset="legacy"), waiting_room=False
    )

    found, warnings = read_rules(Config(routing=routing), path)

    assert found == Rules(
        {"a": Role("a", Operation.CHAT)}, Strategy.SCORED, LEGACY, Waiting(on=False)
    )
    assert warnings == []


def test_a_catalog_that_is_not_there_is_a_problem(tmp_path):
    with pytest.raises(SettingsError, match="no such file or directory"):
        read_rules(Config(), tmp_path / "roles.yaml")


def test_alike_is_no_difference():
    assert list(differences(rules(a=""), rules(a=""))) == []


def test_differences_name_roles():
    before, after = rules(a="", b="", c=""), rules(b="new", c="", d="")

    assert list(differences(before, after)) == ["roles: added d; changed b; removed a"]


def test_differences_name_at_most_ten_roles():
    (line,) = differences(Rules(), rules(**{f"r{n}": "" for n in range(12)}))

    assert line == "roles: added r0, r1, r2, r3, r4, r5, r6, r7, r8, r9 and 2 more"


def test_differences_name_what_else_routing_goes_by():
    waiting = Waiting(on=False, usual=Priority.LOW)
    after = Rules(strategy=Strategy.SCORED, scoring=LEGACY, waiting=waiting)

    assert list(differences(Rules(), after)) == [
        "routing.default_strategy: scored",
        "routing.scoring: changed",
        "routing.waiting_room: off",
        "routing.priority: changed",
    ]
    assert list(differences(Rules(), Rules(waiting=Waiting(on=False)))) == [
        "routing.waiting_room: off"
    ]
    assert list(differences(Rules(), Rules(waiting=Waiting(standings={"a": Standing()})))) == [
        "routing.priority: changed"
    ]


def test_what_is_not_followed_waits_for_a_restart():
    followed = Config(roles_path=Path("x"), routing=Routing(default_strategy=Strategy.SCORED))
    others = Config(
        listen="127.0.0.1:1",
        auth=Auth(node_api_keys=("hush",)),
        routing=Routing(evidence_half_life_s=60, probe_interval_s=10, probe_timeout_s=1),
    )

    assert waiting_for_restart(Config(), followed) == []
    assert waiting_for_restart(Config(), others) == [
        "listen",
        "auth",
        "routing.evidence_half_life_s",
        "routing.probe_interval_s",
        "routing.probe_timeout_s",
    ]


@pytest.mark.parametrize(
    ("written", "waiting"),
    [("127.0.0.1:40000", []), ("127.0.0.1:0", []), ("0.0.0.0:0", ["listen"])],
)
def test_a_port_that_the_kernel_chose_may_be_written_down(written, waiting):
    assert waiting_for_restart(Config(listen="127.0.0.1:0"), Config(listen=written)) == waiting
