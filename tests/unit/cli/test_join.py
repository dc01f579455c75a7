"""What `join` makes of what is typed, of what control says, and of the log of its node."""

import os
from pathlib import Path

import pytest

from cli import join
from cli.join import Joining, Tail, control_of, everywhere, news, node_key, refused
from cli.output import BAD, NOT_ALLOWED, USAGE, Failure
from control.api.settings import validate
from node.config import Config

WHAT = Joining("192.168.1.20:8801", Path("/s/join"), "gh_secret")
ALIVE = "another instance of host 'tower' is alive; stop it, or give one another host_id"
UNKNOWN = "RegisterHost needs one of control's auth.node_api_keys; the one sent is not known"


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("192.168.1.20", "192.168.1.20:8801"),
        ("192.168.1.20:9", "192.168.1.20:9"),
        ("laptop.lan", "laptop.lan:8801"),
        ("[fd00::7]", "[fd00::7]:8801"),
        ("[fd00::7]:9", "[fd00::7]:9"),
    ],
)
def test_control_is_a_host_with_or_without_a_port(typed, address):
    assert control_of(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "http://laptop:8801",
        "a b",
        "h:0",
        "h:70000",
        "[fd00::7",
        "fd00::7]:9",
        "h\n",
        "\x00" * 9999,
    ],
)
def test_what_is_no_address_is_usage(typed):
    with pytest.raises(Failure, match="is no address") as failed:
        control_of(typed)

    assert failed.value.exit_code == USAGE
    assert len(str(failed.value)) < 600


@pytest.mark.parametrize(
    ("control", "host"),
    [
        ("192.0.2.1:8801", "0.0.0.0"),
        ("localhost.invalid:8801", "0.0.0.0"),
        ("[fd00::7]:8801", "::"),
    ],
)
def test_the_relay_listens_where_gateways_are_told_it_does(control, host):
    """They are told the address by which this machine reaches control."""
    assert everywhere(control) == host


def test_the_key_is_in_a_file_or_in_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(join.VARIABLE, raising=False)
    assert node_key(None) is None
    monkeypatch.setenv(join.VARIABLE, "gh_1")
    assert node_key(None) == "gh_1"
    file = tmp_path / "node.key"
    file.write_text("gh_2\n")
    file.chmod(0o600)

    assert node_key(file) == "gh_2"


@pytest.mark.parametrize("content", [b"", b"two words", b"a\nb", b"\xff\xfe", b"k" * 513])
def test_a_file_without_a_key_is_told_and_not_shown(tmp_path, content):
    file = tmp_path / "node.key"
    file.write_bytes(content)
    file.chmod(0o600)

    with pytest.raises(Failure, match=r"node\.key holds no key$") as failed:
        node_key(file)
    assert failed.value.exit_code == USAGE


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_key_that_everybody_can_read_is_refused(tmp_path):
    file = tmp_path / "node.key"
    file.write_text("gh_2")
    file.chmod(0o644)

    with pytest.raises(Failure, match="chmod 600"):
        node_key(file)


def test_the_settings_of_the_node_hold_no_key_and_are_good():
    written = WHAT.node_file("0.0.0.0:8802")
    settings, warnings = validate(written, {}, Config, name="join")

    assert "gh_secret" not in f"{written}{WHAT}"
    assert warnings == []
    assert settings.finds


@pytest.mark.parametrize(
    ("reason", "code", "exit_code", "fix"),
    [
        (ALIVE, "host_id_in_use", BAD, "--host-id NAME"),
        (UNKNOWN, "invalid_api_key", NOT_ALLOWED, "GENIEHIVE_NODE_KEY"),
        ("the moon is wrong" * 100, "refused", BAD, ""),
    ],
)
def test_what_control_refuses_says_what_to_do(reason, code, exit_code, fix):
    failure = refused(reason, WHAT)

    assert (failure.code, failure.exit_code) == (code, exit_code)
    assert fix in failure.fix
    assert "gh_secret" not in failure.text()
    assert len(failure.text()) < 600


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("WARNING node.session: control is silent: gone", "! cut off from control c:1"),
        ("INFO node.session: control answers again", "+ back at control c:1"),
        ("INFO node.session: registered as tower (1 services)", "+ back at control c:1"),
        ("ERROR node.session: control refuses this host: no", "! control refuses this machine: no"),
    ],
)
def test_being_cut_off_and_back_is_told(line, told):
    (text,) = news(line, "c:1")

    assert text.startswith(told)


def test_other_lines_of_the_log_are_not_told():
    assert list(news("INFO node.watch: tower/ollama is healthy, 0 of 2 models loaded", "c:1")) == []


def test_a_log_is_read_in_whole_lines_from_now_on(tmp_path):
    log = tmp_path / "node.log"
    log.write_text("old\n")
    tail = Tail(log)
    with log.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert tail.lines() == ["one"]
        file.write("o\n")

    assert tail.lines() == ["two"]
    assert tail.lines() == []
