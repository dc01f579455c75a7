"""Where the gateway is, and the key of a client."""

import pytest

from cli import gateway, keys, running
from cli.output import USAGE, Failure


def test_the_gateway_is_where_it_is_said_else_where_up_runs_else_the_default(tmp_path):
    assert gateway.gateway_url("http://h:1/v1/", tmp_path) == "http://h:1"
    assert gateway.gateway_url(None, tmp_path) == "http://127.0.0.1:8800"

    running.write(tmp_path, running.ourselves("127.0.0.1:7", "http://127.0.0.1:8"))
    assert gateway.gateway_url(None, tmp_path) == "http://127.0.0.1:8"


@pytest.mark.parametrize(
    "given", ["gateway", "ftp://x", "http://", "http://h:99999999", "http://[::", "http://h\x1b"]
)
def test_an_address_that_is_none_is_usage(tmp_path, given):
    with pytest.raises(Failure, match=r"write http://HOST:PORT") as failed:
        gateway.gateway_url(given, tmp_path)

    assert failed.value.exit_code == USAGE


def test_a_key_that_cannot_be_one_is_usage_and_not_shown(monkeypatch, tmp_path):
    monkeypatch.setenv(gateway.KEY, "s3cret\n")
    with pytest.raises(Failure) as failed:
        gateway.client_key(None, tmp_path)

    assert failed.value.exit_code == USAGE
    assert "s3cret" not in failed.value.text()


def test_without_a_key_there_is_none(monkeypatch, tmp_path):
    monkeypatch.delenv(gateway.KEY, raising=False)
    assert gateway.client_key(None, tmp_path) is None

    monkeypatch.setenv(gateway.KEY, "gh_1")
    assert gateway.client_key(None, tmp_path) == "gh_1"


def test_the_key_of_an_up_in_the_network_is_shown_to_that_one_alone(monkeypatch, tmp_path):
    monkeypatch.delenv(gateway.KEY, raising=False)
    made, _ = keys.ensure(tmp_path)
    assert gateway.client_key(None, tmp_path) is None
    running.write(tmp_path, running.ourselves(keyed=True))

    assert gateway.client_key(None, tmp_path) == made.client
    assert gateway.client_key("http://elsewhere:1", tmp_path) is None
