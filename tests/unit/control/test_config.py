from pathlib import Path

import pytest

from control.api import settings
from control.api.settings import SettingsError
from control.config import Config, engine_key_refusal, exposure, metrics_exposure, open_kinds

OLD = """
deployment_profile: casual
server: {host: 0.0.0.0, port: 8800}
auth:
  client_api_keys: [change-me-client-key]
  node_api_keys: [change-me-node-key]
  enable_named_client_keys: false
  key_hash_secret_env: GENIEHIVE_KEY_HASH_SECRET
audit: {enabled: false}
admin_api: {enabled: false}
authorization: {enforce_model_allowlists: false, empty_allowlist_means_no_access: true}
providers:
  - {provider_id: openai, provider_kind: openai, base_url: https://api.example.com/v1}
budgeting: {enabled: false, reset_day_of_month: 1, model_prices: {}}
storage: {sqlite_path: state/old.sqlite3}
routing: {health_stale_after_s: 30.0, default_strategy: scored, probe_interval_s: 0.0}
roles_path: configs/roles.yaml
"""


def load(tmp_path, text):
    path = tmp_path / "control.yaml"
    path.write_text(text)
    return settings.read(path, Config)


def test_without_a_file_everything_has_its_default():
    assert settings.read(None, Config) == (Config(), [])


def test_an_old_file_loads_with_warnings(tmp_path):
    config, warnings = load(tmp_path, OLD)

    assert config.server.port == 8800
    assert config.auth.node_api_keys == ("change-me-node-key",)
    assert config.storage.sqlite_path == Path("state/old.sqlite3")
    assert config.routing.default_strategy == "scored"
    assert config.routing.probe_interval_s == 0.0
    assert config.roles_path == Path("configs/roles.yaml")
    words = ["audit", "admin_api", "authorization", "providers", "budgeting"]
    words += ["routing.health_stale_after_s"]
    for word in [*words, "auth.enable_named_client_keys"]:
        assert any(f"unknown key {word}" in warning for warning in warnings), word


def test_an_unknown_key_names_the_nearest_one(tmp_path):
    _, warnings = load(tmp_path, "registry: {heartbeat_intervall_s: 1}")

    assert len(warnings) == 1
    assert "control.yaml:1: unknown key registry.heartbeat_intervall_s" in warnings[0]
    assert "nearest: heartbeat_interval_s" in warnings[0]


def test_in_the_foundation_profile_an_unknown_key_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="unknown key storag"):
        load(tmp_path, "deployment_profile: foundation\nstorag: {}\n")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("listen: 8801", "listen"),
        ("listen: localhost", "listen"),
        ("listen: 127.0.0.1:70000", "listen"),
        ("server: {port: -1}", "server.port"),
        ("registry: {heartbeat_interval_s: 0}", "registry.heartbeat_interval_s"),
        ("registry: {heartbeat_interval_s: .nan}", "registry.heartbeat_interval_s"),
        ("registry: {heartbeat_interval_s: 1.0e+99}", "registry.heartbeat_interval_s"),
        ("registry: {lease_intervals: 1}", "registry.lease_intervals"),
        ("registry: {grace_s: -1}", "registry.grace_s"),
        ("registry: soon", "registry"),
        ("auth: {node_api_keys: secret}", "auth.node_api_keys"),
        ("auth: {node_api_keys: ['']}", "auth.node_api_keys"),
        ("auth: {node_api_keys: ['with space']}", "auth.node_api_keys"),
        ("auth: {node_api_keys: [5]}", "auth.node_api_keys"),
        ("deployment_profile: huge", "deployment_profile"),
        ("tls: {certificate: a.pem}", "tls"),
        ("tls: {client_ca: a.pem}", "tls"),
        ("storage: {sqlite_path: ':memory:'}", "storage.sqlite_path"),
        ("[]", "a mapping"),
        ("a: [", "control.yaml"),
    ],
)
def test_an_unusable_value_is_one_line_that_names_it(tmp_path, text, name):
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, text)

    assert len(raised.value.problems) == 1
    assert name in raised.value.problems[0]
    assert "\n" not in raised.value.problems[0]


def test_a_key_is_never_in_a_message(tmp_path):
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, "auth: {node_api_keys: ['hush hush']}")

    assert "hush" not in str(raised.value)


KEYS = {"client_api_keys": ["c"], "node_api_keys": ["n"], "gateway_api_keys": ["g"]}


def with_auth(listen, **auth):
    return Config.model_validate({"listen": listen, "auth": auth})


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"])
def test_on_this_machine_neither_keys_nor_tls_are_needed(listen):
    assert exposure(with_auth(listen)) is None


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "192.168.1.2:1", "gpu-1:1"])
def test_beyond_this_machine_all_keys_are_needed(listen):
    assert exposure(with_auth(listen, **KEYS)) is None
    for missing in KEYS:
        some = {name: keys for name, keys in KEYS.items() if name != missing}
        problem = exposure(with_auth(listen, **some))
        assert f"auth.{missing}" in problem
        assert "--insecure" in problem


CERTIFICATE = {"certificate": "c.pem", "key": "k.pem"}
MUTUAL = {**CERTIFICATE, "client_ca": "ca.pem"}


def with_tls(listen, tls, **auth):
    return Config.model_validate({"listen": listen, "tls": tls, "auth": auth})


def test_beyond_this_machine_a_certificate_of_our_own_keeps_nobody_out():
    problem = exposure(with_tls("0.0.0.0:1", CERTIFICATE))

    assert "tls.client_ca" in problem
    assert "auth.node_api_keys" in problem
    assert exposure(with_tls("0.0.0.0:1", CERTIFICATE, **KEYS)) is None


def test_beyond_this_machine_certificates_of_callers_are_enough():
    assert exposure(with_tls("0.0.0.0:1", MUTUAL)) is None


@pytest.mark.parametrize(
    ("settings", "insecure", "kinds"),
    [
        ({}, False, {"node", "gateway", "operator", "admin"}),
        ({"auth": {"node_api_keys": ["n"]}}, False, {"gateway", "operator", "admin"}),
        ({"auth": {"operator_api_keys": ["o"]}}, False, {"node", "gateway"}),
        ({"auth": {"admin_api_keys": ["a"]}}, False, {"node", "gateway", "operator"}),
        ({"listen": "0.0.0.0:1", "auth": KEYS}, False, set()),
        ({"listen": "0.0.0.0:1", "tls": CERTIFICATE, "auth": KEYS}, False, set()),
        ({"listen": "0.0.0.0:1", "tls": MUTUAL}, False, {"node", "gateway", "operator"}),
        ({"listen": "127.0.0.1:1", "tls": MUTUAL}, False, {"node", "gateway", "operator"}),
        ({"listen": "0.0.0.0:1"}, True, {"node", "gateway", "operator", "admin"}),
    ],
    ids=[
        "default",
        "node",
        "operator",
        "admin",
        "network",
        "certificate",
        "mutual",
        "mutual-here",
        "insecure",
    ],
)
def test_who_needs_no_key(settings, insecure, kinds):
    assert open_kinds(Config.model_validate(settings), insecure=insecure) == kinds


def test_a_typo_in_what_switches_checks_on_is_an_error_in_every_profile(tmp_path):
    """Otherwise the check would be off, and only a line in a log would say so."""
    path = tmp_path / "control.yaml"
    path.write_text("auth: {client_api_key: [secret]}")
    with pytest.raises(SettingsError, match="nearest: client_api_keys"):
        settings.read(path, Config)

    path.write_text("auth: {enable_named_client_keys: true}\nstorage: {sqlite_pat: x}")
    assert len(settings.read(path, Config)[1]) == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, None),
        ({"listen": "0.0.0.0:1", "auth": KEYS}, "without TLS"),
        ({"listen": "0.0.0.0:1", "tls": CERTIFICATE}, "auth.gateway_api_keys"),
        ({"listen": "0.0.0.0:1", "tls": CERTIFICATE, "auth": KEYS}, None),
        ({"listen": "0.0.0.0:1", "tls": MUTUAL}, None),
    ],
    ids=["here", "plaintext", "to-everybody", "certificate", "mutual"],
)
def test_keys_of_engines_are_taken_where_nobody_else_hears_them(settings, said):
    refusal = engine_key_refusal(Config.model_validate(settings))

    assert (said in refusal) if said else refusal is None


def test_metrics_beyond_this_machine_need_keys_of_operators():
    def scraped(listen, **auth):
        return Config.model_validate({"metrics": {"listen": listen}, "auth": auth})

    problem = metrics_exposure(scraped("0.0.0.0:9", **KEYS))

    assert "metrics.listen 0.0.0.0:9" in problem
    assert "auth.operator_api_keys" in problem
    assert metrics_exposure(scraped("0.0.0.0:9", operator_api_keys=["o"])) is None
    assert metrics_exposure(scraped("127.0.0.1:9")) is metrics_exposure(Config()) is None


def test_scrapers_need_the_key_of_an_operator_or_administrator_where_operators_do():
    both = {"operator_api_keys": ["o"], "admin_api_keys": ["a"]}

    assert with_auth("127.0.0.1:1", **both).auth.scraper_keys == ("o", "a")
    assert with_auth("127.0.0.1:1", admin_api_keys=["a"]).auth.scraper_keys == ()


def test_keys_are_not_in_what_a_traceback_shows():
    config = Config.model_validate(
        {"auth": {"client_api_keys": ["k-1"], "admin_api_keys": ["k-2"]}}
    )

    assert config.auth.admin_api_keys == ("k-2",)
    assert "k-" not in repr(config) + str(config.auth)
