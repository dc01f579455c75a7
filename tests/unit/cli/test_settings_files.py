"""Settings before a service reads them: whose they are, what is wrong, what holds."""

import os

import pytest

from cli import settings_files
from cli.settings_files import check, recognised, show
from tests.conformance.project import ROOT

SECRET = "s3cret-key"
EVERYTHING = {
    "GENIEHIVE_ROLES_CONFIG": "roles.yaml",
    "GENIEHIVE_LOG_FORMAT": "json",
    "GENIEHIVE_STATE_DIR": "/var/lib/geniehive",
    "GENIEHIVE_GATEWAY_KEY": SECRET,
}


# Sections whose keys are no secrets: files, numbers, ids.
NOT_SECRET = ("tls.", "limits.", "routing.")


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


def by_key(settings):
    return {one.key: one for one in settings}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda one: one.name
)
def test_every_example_is_recognised_and_right(path):
    found = check(path)

    assert found.kind == path.stem.partition("-")[0]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("x.yaml", "registry: {grace_s: 1}", "control"),
        ("x.yaml", "services: []", "node"),
        ("x.yaml", "timeouts: {connect: 1}", "gateway"),
        ("x.yaml", "roles: []", "roles"),
        ("my-gateway.yaml", "listen: 127.0.0.1:1", "gateway"),
        ("control.yaml", "", "control"),
    ],
)
def test_keys_tell_whose_settings_they_are_or_else_the_name(write, name, text, kind):
    assert recognised(write(name, text)) == kind


def test_where_nothing_tells_the_kind_is_asked_for(write):
    (said,) = check(write("x.yaml", "listen: 127.0.0.1:1")).problems

    assert "do not tell whose settings they are; say --kind control or --kind node" in said


def test_every_problem_is_told_at_once_with_its_line(write):
    path = write(
        "control.yaml",
        "listen: nonsense\nrouting:\n  default_strategey: x\nregistry: {grace_s: -1}\n",
    )
    lines = check(path).problems

    assert [line.split(": ")[0] for line in lines] == [f"{path}:{n}" for n in (1, 3, 4)]
    assert lines[1].endswith("unknown key routing.default_strategey; nearest: default_strategy")


def test_the_catalog_that_is_named_is_checked_too(write):
    catalog = write("roles.yaml", "roles:\n- role_id: a\n  operatio: chat\n")
    path = write("control.yaml", f"roles_path: {catalog}\nlisten: 3\n")
    problems = check(path).problems

    assert problems[0].startswith(f"{path}:2: listen")
    assert any(line.startswith(f"{catalog}:3: unknown key operatio") for line in problems)


def test_a_catalog_that_is_not_there_is_a_problem(write):
    path = write("control.yaml", "listen: 127.0.0.1:1\nroles_path: nowhere.yaml")

    assert check(path).problems == (
        f"{path}:2: roles_path: nowhere.yaml: no such file or directory",
    )


def test_what_control_refuses_as_a_whole_is_a_problem(write):
    (problem,) = check(write("control.yaml", "listen: 0.0.0.0:8801")).problems

    assert "open to everybody on the network" in problem


def test_a_page_of_metrics_that_control_would_not_serve_is_a_problem(write):
    path = write("control.yaml", "metrics: {listen: 0.0.0.0:9000}")

    (problem,) = check(path).problems
    assert "set auth.operator_api_keys" in problem


def test_keys_that_everybody_can_read_are_told(write):
    path = write("control.yaml", f"auth: {{client_api_keys: [{SECRET}]}}")
    path.chmod(0o644)
    found = check(path)

    assert found.problems == ()
    assert found.warnings == (f"{path}: holds keys, and everybody can read it; chmod 600",)


def test_endpoints_out_of_reach_are_warned_of(write):
    text = (
        "control: 192.168.1.20:8801\nrelay: {mode: never}\n"
        "services: [{service_id: a, endpoint: 'http://127.0.0.1:1'}]"
    )

    assert "which only this machine reaches" in check(write("node.yaml", text)).warnings[0]


@pytest.mark.parametrize("text", ["[", "a: *b", "\t- x", "3", "[]", "a: 1\na: 2"])
def test_what_is_no_settings_at_all_is_a_problem(write, text):
    assert check(write("control.yaml", text), "control").problems


def test_values_and_where_they_are_from(write):
    path = write("gateway.yaml", "listen: 127.0.0.1:1\nlimits:\n  connections: 7\n")
    found = by_key(show(path, "gateway", EVERYTHING))

    assert (found["listen"].value, found["listen"].origin) == ("127.0.0.1:1", f"{path}:1")
    assert (found["limits.connections"].value, found["limits.connections"].source) == (7, "file")
    assert found["limits.connections"].place == f"{path}:3"
    assert found["drain"].origin == "default"
    assert found["state_dir"].value == "/var/lib/geniehive"
    assert (found["log.format"].source, found["log.format"].place) == (
        "environment",
        "GENIEHIVE_LOG_FORMAT",
    )


def test_what_only_the_preset_says_is_left_to_it(write):
    path = write("control.yaml", "routing: {scoring: {preset: legacy, runtime: {busy: 0.2}}}")
    found = by_key(show(path, "control", {}))

    assert [key for key in found if key.startswith("routing.scoring")] == [
        "routing.scoring.preset",
        "routing.scoring.runtime.busy",
    ]
    assert not [one.key for one in show(None, "node", {}) if one.key.startswith("control_plane")]


def test_what_is_in_the_file_wins_over_the_environment(write):
    path = write("control.yaml", "roles_path: mine.yaml")

    assert by_key(show(path, "control", EVERYTHING))["roles_path"].value == "mine.yaml"
    assert by_key(show(None, "control", EVERYTHING))["roles_path"].value == "roles.yaml"


def test_lists_of_sections_have_a_key_for_each_value(write):
    path = write("node.yaml", "services:\n- service_id: a\n  endpoint: http://127.0.0.1:1\n")
    found = by_key(show(path, "node", {}))

    assert found["services[0].service_id"].origin == f"{path}:2"
    assert found["services[0].kind"].origin == "default"


def test_secrets_are_only_set_or_not(write):
    path = write("control.yaml", f"auth: {{client_api_keys: [{SECRET}]}}")
    found = show(path, "control", EVERYTHING) + show(None, "gateway", EVERYTHING)

    assert SECRET not in str(found)
    keys = by_key(found)
    assert keys["auth.client_api_keys"].value == "set"
    assert keys["auth.admin_api_keys"].value == "not set"
    assert keys["gateway_key_env"].value == "GENIEHIVE_GATEWAY_KEY (set)"


def test_of_a_pipe_the_kind_must_be_said(tmp_path):
    pipe = tmp_path / "control.yaml"
    os.mkfifo(pipe)
    (said,) = check(pipe).problems

    assert said.startswith(f"{pipe}: can be read only once; say --kind control or --kind node")


@pytest.mark.parametrize("kind", settings_files.MODELS)
def test_no_setting_that_may_hold_a_secret_is_shown(kind):
    for one in show(None, kind, {}):
        if "key" in one.key.rpartition(".")[2] and not one.key.startswith(NOT_SECRET):
            assert str(one.value).endswith(("set", "set)")), one
