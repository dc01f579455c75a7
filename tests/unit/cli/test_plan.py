"""What `up` would start, from flags and from a file."""

import pytest
import yaml

from cli.children import STOP_SECONDS
from cli.keys import Keys
from cli.output import Failure
from cli.plan import plan, reachable, service_name
from control.api.settings import read
from control.config import Config, exposure
from node.listeners import USUAL_PORTS


def planned(tmp_path, text=None, **asked):
    path = None
    if text is not None:
        path = tmp_path / "control.yaml"
        path.write_text(text)
    return plan(tmp_path / "state", config=path, **asked)


def test_defaults_are_loopback_and_known_ports(tmp_path):
    made, warnings = planned(tmp_path)

    assert (made.gateway, made.control) == ("127.0.0.1:8800", "127.0.0.1:8801")
    assert warnings == []


def test_flag_wins_over_file_over_default(tmp_path):
    text = "listen: 127.0.0.1:9001\nserver: {host: 127.0.0.2, port: 9000}"

    made, _ = planned(tmp_path, text)
    assert (made.gateway, made.control) == ("127.0.0.2:9000", "127.0.0.1:9001")

    made, _ = planned(tmp_path, text, port=0, control_port=7)
    assert (made.gateway, made.control) == ("127.0.0.2:0", "127.0.0.1:7")


def test_database_lives_in_the_state_folder_unless_the_file_says_otherwise(tmp_path):
    made, _ = planned(tmp_path, "server: {port: 1}")
    listen = made.control_file("127.0.0.1:5")
    assert listen["listen"] == "127.0.0.1:5"
    assert listen["storage"] == {"sqlite_path": str(tmp_path / "state/geniehive.sqlite3")}

    made, _ = planned(tmp_path, "storage: {sqlite_path: /elsewhere/db}")
    assert made.control_file("a:1")["storage"] == {"sqlite_path": "/elsewhere/db"}


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("", "expected_completion"),
        ("routing: {waiting_room: off}", "expected_completion"),
        ("routing: {default_strategy: least_loaded}", "least_loaded"),
    ],
)
def test_requests_go_where_they_will_be_done_first_unless_the_file_says_otherwise(
    tmp_path, text, strategy
):
    made, _ = planned(tmp_path, text)
    path = tmp_path / "written.yaml"
    path.write_text(yaml.safe_dump(made.control_file("127.0.0.1:5")))
    written, warnings = read(path, Config)

    assert written.routing.default_strategy == strategy
    assert written.routing.waiting == made.settings.routing.waiting
    assert warnings == []


def test_keys_of_the_file_are_presented_by_the_children(tmp_path):
    kinds = {"client": "c", "node": "n", "gateway": "g", "admin": "a"}
    text = "auth:\n" + "".join(f"  {kind}_api_keys: [{key}]\n" for kind, key in kinds.items())
    made, _ = planned(tmp_path, text)

    assert (made.client_key, made.node_key, made.gateway_key) == ("c", "n", "g")


@pytest.mark.parametrize(
    ("kinds", "presented"),
    [
        ("", ()),
        ("gateway", (("x-geniehive-gateway-key", "gateway-key"),)),
        ("gateway admin", (("authorization", "Bearer admin-key"),)),
        ("gateway admin operator", (("authorization", "Bearer operator-key"),)),
    ],
)
def test_the_cluster_is_read_as_an_operator_else_as_a_gateway(tmp_path, kinds, presented):
    keys = {f"{kind}_api_keys": [f"{kind}-key"] for kind in kinds.split()}
    made, _ = planned(tmp_path, yaml.safe_dump({"auth": keys}))

    assert made.reader == presented


def test_engines_that_are_given_replace_looking_for_some(tmp_path):
    made, _ = planned(tmp_path, engines=("http://10.0.0.9:8000/v1/",))
    assert made.engines == ("http://10.0.0.9:8000",)
    assert made.node_file("c:1", {})["detect_ports"] == []

    made, _ = planned(tmp_path)
    node = made.node_file("c:1", {"demo": "http://127.0.0.1:5"})
    assert node["services"] == [{"service_id": "demo", "endpoint": "http://127.0.0.1:5"}]
    assert node["detect_ports"] == list(USUAL_PORTS)


def test_engines_that_are_given_are_asked_with_the_key_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("GENIEHIVE_ENGINE_KEY", "canary")
    url, demo = "http://10.0.0.9:8000", "http://127.0.0.1:5"
    made, _ = planned(tmp_path, engines=(url,))

    node = made.node_file("c:1", {"given": url, "demo": demo})
    assert [service.get("api_key_env") for service in node["services"]] == [
        "GENIEHIVE_ENGINE_KEY",
        None,
    ]
    assert made.engine_key == "canary"
    assert "canary" not in f"{made}{node}"


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("canary\n", None, "GENIEHIVE_ENGINE_KEY holds no key"),
        ("canary", "listen: 0.0.0.0:0", "GENIEHIVE_ENGINE_KEY cannot be taken: control listens"),
    ],
)
def test_a_key_of_engines_that_cannot_be_used_is_said_at_once(
    tmp_path, monkeypatch, key, text, said
):
    monkeypatch.setenv("GENIEHIVE_ENGINE_KEY", key)
    with pytest.raises(Failure, match=said) as raised:
        planned(tmp_path, text, engines=("http://10.0.0.9:8000",))
    assert "canary" not in str(raised.value)
    planned(tmp_path, text)  # nobody is asked with it


@pytest.mark.parametrize(
    ("text", "asked", "said"),
    [
        ("listen: nowhere", {}, "control.yaml:1: listen"),
        ("a: [", {}, "control.yaml:"),
        ("tls: {certificate: a, key: b}", {}, "without TLS"),
        (None, {"engines": ("nonsense",)}, "--engine nonsense"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_starts(tmp_path, text, asked, said):
    with pytest.raises(Failure, match=said) as refused:
        planned(tmp_path, text, **asked)

    assert refused.value.exit_code == 2


def test_unknown_keys_are_warnings(tmp_path):
    _, warnings = planned(tmp_path, "audit: {enabled: true}")

    assert "unknown key audit" in warnings[0]


@pytest.mark.parametrize(
    ("listening", "expected"),
    [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "127.0.0.1:1"), ("10.0.0.1:1", "10.0.0.1:1")],
)
def test_a_wildcard_is_reached_on_loopback(listening, expected):
    assert reachable(listening) == expected


def test_service_name_of_a_server_is_an_id():
    assert service_name("http://[::1]:8080/a") == "engine--1-8080-a"


def test_a_gateway_open_to_the_network_needs_client_keys(tmp_path):
    path = tmp_path / "control.yaml"
    path.write_text("server: {host: 0.0.0.0}")
    with pytest.raises(Failure, match="open to the network"):
        plan(tmp_path, config=path)

    path.write_text("server: {host: 0.0.0.0}\nauth: {client_api_keys: [secret]}")
    assert plan(tmp_path, config=path)[0].gateway == "0.0.0.0:8800"


KEYS = Keys(*(f"gh_{kind}" for kind in ("client", "node", "gateway", "operator", "admin")))


def test_for_others_everything_listens_everywhere_and_asks_for_keys(tmp_path):
    made, _ = planned(tmp_path, keys=KEYS)

    assert (made.gateway, made.control) == ("0.0.0.0:8800", "0.0.0.0:8801")
    assert (made.client_key, made.node_key, made.gateway_key) == (
        "gh_client",
        "gh_node",
        "gh_gateway",
    )
    assert exposure(made.settings) is None
    assert "gh_" not in repr(made.keys)


def test_for_others_the_addresses_and_keys_of_the_file_stay(tmp_path):
    text = (
        "listen: 127.0.0.2:0\nserver: {host: 127.0.0.3, port: 7}\n"
        "auth: {client_api_keys: [mine], admin_api_keys: [boss]}"
    )
    made, _ = planned(tmp_path, text, keys=KEYS)

    assert (made.gateway, made.control) == ("127.0.0.3:7", "127.0.0.2:0")
    assert made.settings.auth.client_api_keys == ("gh_client", "mine")
    assert made.settings.auth.admin_api_keys == ("gh_admin", "boss")


@pytest.mark.parametrize("host", ["0.0.0.0", "'::'", "192.168.1.20", "tower", "'10.0.0.1'"])
def test_whatever_is_not_this_machine_needs_client_keys(tmp_path, host):
    with pytest.raises(Failure, match="open to the network") as refused:
        planned(tmp_path, f"server: {{host: {host}}}")

    assert "--lan" in refused.value.fix


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "'::1'", "localhost"])
def test_on_this_machine_alone_no_key_is_needed(tmp_path, host):
    made, _ = planned(tmp_path, f"server: {{host: {host}}}")

    assert made.client_key is None


def test_children_drain_for_less_time_than_they_are_given_to_stop(tmp_path):
    made, _ = planned(tmp_path)
    node, gateway = made.node_file("c:1", {}), made.gateway_file("c:1", "g:1")
    # A node then gives its lease back, within 2 s; a gateway ends what is left.
    assert node["drain"] + 2 < STOP_SECONDS
    assert gateway["drain"] + 1 < STOP_SECONDS
