"""Settings of a node: what loads, what is refused, and in which words."""

import pytest
from pydantic import ValidationError

from control.api import settings
from control.api.settings import SettingsError
from node.config import Config, Service, State, out_of_reach, server_url, valid_host_id


def written(tmp_path, text):
    path = tmp_path / "node.yaml"
    path.write_text(text)
    return path


def service_with(key):
    return f"services: [{{service_id: x, endpoint: 'http://a', {key}}}]"


def asset_with(key):
    return service_with(f"assets: [{{asset_id: m, {key}}}]")


OLD = """\
node: {host_id: p40-box, display_name: The P40, listen_host: 127.0.0.1, listen_port: 8891}
inventory:
  {cpu_threads: 12, ram_gb: 64, capabilities: {cuda: true}, trust_tier: trusted, idle_only: true}
services:
  - service_id: p40-box/chat/qwen
    kind: chat
    protocol: openai
    endpoint: http://127.0.0.1:18091
    runtime: {engine: llama.cpp, launcher: llama-server}
    assets: [{asset_id: qwen3-8b, loaded: true, context_size: 8192}]
    state: {health: healthy, load_state: loaded, availability: draining}
  - {service_id: p40-box/speech, kind: transcription, endpoint: "http://127.0.0.1:8001"}
"""


def test_old_file_loads_and_names_what_is_not_known(tmp_path):
    config, warnings = settings.read(written(tmp_path, OLD), Config)

    assert [one.service_id for one in config.services] == ["p40-box/chat/qwen", "p40-box/speech"]
    assert config.services[0].asked_as == "llamacpp"
    assert config.services[0].assets[0].context_tokens == 8192
    assert sorted(w.split("unknown key ")[1].split(";")[0] for w in warnings) == [
        "node.listen_host",
        "node.listen_port",
        "services[0].runtime.launcher",
        "services[0].state.health",
        "services[0].state.load_state",
    ]
    assert config.inventory.trust_tier == "trusted"
    assert config.services[0].state.told == "draining"


def test_foundation_profile_refuses_unknown_keys(tmp_path):
    path = written(tmp_path, "deployment_profile: foundation\nnode: {host_idd: a}\n")
    with pytest.raises(
        SettingsError, match=r"node.yaml:2: unknown key node.host_idd; nearest: host_id"
    ):
        settings.read(path, Config)


def test_old_control_plane_is_refused_with_the_line_to_write(tmp_path):
    path = written(tmp_path, "control_plane:\n  base_url: http://10.0.0.5:8800\n")
    with pytest.raises(SettingsError) as refused:
        settings.read(path, Config)

    assert "node.yaml:2: control_plane.base_url:" in refused.value.problems[0]
    assert "write instead `control: 10.0.0.5:8801`" in refused.value.problems[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("control: nowhere", "'nowhere' is not host:port"),
        ("node: {host_id: a/b}", "node.host_id: write 1 to 63 letters, digits and ._-"),
        ('inventory: {model_roots: [/models, "/a\\0b"]}', "model_roots[1]: holds a NUL"),
        ("node: {host_id: ''}", "node.host_id"),
        ("services: [{service_id: x}]", "services[0].endpoint"),
        ("services: [{service_id: x, endpoint: 'ftp://a'}]", "write http://HOST:PORT"),
        ("services: [{service_id: x, endpoint: 'http://u:p@a'}]", "write http://HOST:PORT"),
        ("services: [{service_id: x, endpoint: 'http://a:99999'}]", "write http://HOST:PORT"),
        ("services: [{service_id: x, endpoint: 'http://a', kind: images}]", "services[0].kind"),
        (
            "node: {host_id: a}\nservices: [{service_id: b/x, endpoint: 'http://a'}]",
            "node.yaml:2: services[0].service_id: 'b/x' does not start with 'a/'",
        ),
        (
            "node: {host_id: a}\nservices: [{service_id: x, endpoint: 'http://a'},"
            " {service_id: a/x, endpoint: 'http://b'}]",
            "node.yaml:2: services[1].service_id: 'a/x' is used twice",
        ),
        ("node: {host_id: external-provider-1}", "node.host_id: is reserved"),
        ('node: {display_name: "a\\x1bb"}', "node.display_name: holds a character"),
        ("node: {labels: {'': x}}", "node.labels"),
        ("services: [{service_id: a b, endpoint: 'http://a'}]", "/a b' is more than 200 char"),
        (
            "services: [{service_id: x, endpoint: 'http://a', assets: [{asset_id: ' m'}]}]",
            "services[0].assets[0].asset_id: has space around it",
        ),
        (
            "services: [{service_id: x, endpoint: 'http://a',"
            " assets: [{asset_id: m}, {asset_id: m}]}]",
            "node.yaml:1: services[0].assets[1].asset_id: 'm' is there twice",
        ),
        ("tls: {certificate: a.pem}", "certificate and key come together"),
        ("detect_ports: [0]", "detect_ports[0]"),
        ("inventory: {cpu_threads: -1}", "inventory.cpu_threads"),
        ("inventory: {trust_tier: 1}", "inventory.trust_tier: input should be a valid string; put"),
        (f"inventory: {{device_class: {'x' * 64}}}", "inventory.device_class"),
        ("inventory: {workload_classes: background}", "inventory.workload_classes"),
        ("inventory: {workload_classes: ['']}", "inventory.workload_classes[0]"),
        ("inventory: {allowed_model_families: [3]}", "inventory.allowed_model_families[0]"),
        (service_with("load_mode: always"), "services[0].load_mode"),
        (service_with("state: {availability: away}"), "services[0].state.availability"),
        (service_with("state: {accept_requests: maybe}"), "services[0].state.accept_requests"),
        (service_with("state: paused"), "services[0].state"),
        (service_with(f"runtime: {{engine: {'x' * 201}}}"), "services[0].runtime.engine"),
        (asset_with("labels: coding"), "services[0].assets[0].labels"),
        (asset_with("labels: [7]"), "services[0].assets[0].labels[0]"),
        (asset_with(f"labels: [{'x' * 201}]"), "services[0].assets[0].labels[0]"),
        (asset_with("metadata: {size: 8}"), "services[0].assets[0].metadata.size"),
        (asset_with("locator: {kind: path}"), "services[0].assets[0].locator.value"),
        (asset_with("locator: {kind: path, value: ''}"), "assets[0].locator.value"),
        (asset_with("request_policy: {body_defaults: [1]}"), "request_policy.body_defaults"),
        (asset_with("request_policy: {body_defaults: {model: m}}"), "'model' cannot be set"),
        (asset_with("request_policy: {body_overrides: {x: .inf}}"), "body_overrides: x: inf"),
        (asset_with("request_policy: {system_prompt_position: before}"), "system_prompt_position"),
        (asset_with("request_policy: {reasoning: hide}"), "request_policy.reasoning"),
    ],
)
def test_unusable_values_are_named(tmp_path, text, said):
    with pytest.raises(SettingsError) as refused:
        settings.read(written(tmp_path, text), Config)

    assert said in str(refused.value)


def test_a_host_declares_no_more_assets_than_control_takes():
    assets = [{"asset_id": f"m{number}"} for number in range(5_001)]
    services = [{"service_id": name, "endpoint": "http://a", "assets": assets} for name in "xy"]

    with pytest.raises(ValidationError, match="10002 assets are more than 10000"):
        Config.model_validate({"services": services})


def test_without_a_file_all_defaults_hold():
    config, warnings = settings.read(None, Config)

    assert config == Config()
    assert warnings == []
    assert config.control == "127.0.0.1:8801"


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("laptop", "laptop"),
        ("tower.lan", "tower"),
        ("Ann's PC", "Ann-s-PC"),
        ("_x_", "x"),
        ("", "node-1"),
        (".lan", "node-1"),
        ("a" * 80, "a" * 63),
    ],
)
def test_host_name_becomes_a_host_id(hostname, expected):
    assert valid_host_id(hostname) == expected


@pytest.mark.parametrize("url", ["http://a:1", "http://a:1/", "http://a:1/v1", "http://a:1/v1/"])
def test_server_url_loses_what_every_path_adds(url):
    assert server_url(url) == "http://a:1"


@pytest.mark.parametrize(
    ("keys", "discovers"),
    [
        ({}, True),
        ({"assets": ({"asset_id": "m"},)}, False),
        ({"assets": ({"asset_id": "m"},), "engine": "openai"}, True),
        ({"assets": ({"asset_id": "m"},), "discover_protocol": "ollama"}, True),
    ],
)
def test_declared_assets_stand_alone_unless_asked_otherwise(keys, discovers):
    service = Service.model_validate({"service_id": "x", "endpoint": "http://a", **keys})

    assert service.discovers is discovers


@pytest.mark.parametrize(
    ("control", "endpoint", "count"),
    [
        ("127.0.0.1:8801", "http://127.0.0.1:8080", 0),
        ("192.168.1.20:8801", "http://192.168.1.31:8080", 0),
        ("192.168.1.20:8801", "http://127.0.0.1:8080", 1),
        ("192.168.1.20:8801", "http://localhost:8080", 1),
        ("192.168.1.20:8801", "http://[::1]:8080", 1),
    ],
)
def test_an_endpoint_that_only_this_machine_reaches_is_noticed(control, endpoint, count):
    services = (Service(service_id="h/a", endpoint=endpoint),)
    written = {"control": control, "node": {"host_id": "h"}, "services": services}
    assert len(out_of_reach(Config(**written, relay={"mode": "never"}))) == count
    assert not out_of_reach(Config(**written))


def test_what_cannot_be_relayed_is_out_of_reach():
    services = (Service(service_id="h/a", endpoint="https://127.0.0.1:8443"),)
    written = {"control": "192.168.1.20:8801", "node": {"host_id": "h"}, "services": services}

    assert out_of_reach(Config(**written))


def test_detected_ports_are_out_of_reach_for_others():
    far = {"control": "192.168.1.20:8801", "detect_ports": (8080,)}

    assert out_of_reach(Config(**far, relay={"mode": "never"}))
    assert not out_of_reach(Config(**far))
    assert not out_of_reach(Config(detect_ports=(8080,)))


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({}, "available"),
        ({"availability": "busy"}, "busy"),
        ({"accept_requests": False}, "paused_by_user"),
        ({"availability": "busy", "accept_requests": False}, "paused_by_user"),
        ({"availability": "quarantined", "accept_requests": False}, "quarantined"),
        ({"availability": "draining", "accept_requests": False}, "draining"),
    ],
)
def test_who_accepts_no_requests_is_paused_unless_worse(state, told):
    assert State(**state).told == told


def test_a_prompt_of_a_role_alone_is_unknown_here(tmp_path):
    """A model has no template of the user's message: that is a matter of roles."""
    text = asset_with("request_policy: {user_template: '{{ user_input }}'}")
    _, warnings = settings.read(written(tmp_path, text), Config)

    assert "unknown key services[0].assets[0].request_policy.user_template" in warnings[0]


REMOTE_WITH_KEY = "control: 10.0.0.5:8801\n" + service_with("api_key_env: K")


def test_the_key_of_a_server_does_not_travel_in_plaintext(tmp_path):
    with pytest.raises(SettingsError) as raised:
        settings.read(written(tmp_path, REMOTE_WITH_KEY), Config)
    [problem] = raised.value.problems
    assert "node.yaml:2: services[0].api_key_env: " in problem
    assert "10.0.0.5:8801 in plaintext; set `tls`" in problem

    settings.read(written(tmp_path, REMOTE_WITH_KEY + "\ntls: {}"), Config)
    settings.read(written(tmp_path, service_with("api_key_env: K")), Config)


@pytest.mark.parametrize("value", ["sk-canary", "canary key", "''", "canary=1", "5canary"])
def test_a_key_in_the_place_of_its_variable_is_not_shown(tmp_path, value):
    with pytest.raises(SettingsError) as raised:
        settings.read(written(tmp_path, service_with(f"api_key_env: {value}")), Config)

    [problem] = raised.value.problems
    assert "services[0].api_key_env: write the name of a variable" in problem
    assert "canary" not in problem


@pytest.mark.parametrize(
    ("written", "finds"),
    [
        ({}, True),
        ({"services": []}, True),
        ({"detect_ports": []}, False),
        ({"detect_ports": [8080]}, False),
        ({"services": [{"service_id": "a", "endpoint": "http://127.0.0.1:1"}]}, False),
    ],
)
def test_a_node_that_is_told_nothing_finds_what_is_here(written, finds):
    assert Config(**written).finds is finds
