"""Keys of model servers: read at the start, or refused by name and never shown."""

import pytest

from control.api.settings import SettingsError
from node.config import Config
from node.keys import engine_keys


def settings(*variables):
    services = [
        {"service_id": f"s{number}", "endpoint": "http://127.0.0.1:1", "api_key_env": variable}
        for number, variable in enumerate(variables)
    ]
    return Config.model_validate({"node": {"host_id": "h"}, "services": services})


def test_keys_are_read_by_service(monkeypatch):
    monkeypatch.setenv("ONE", "canary-1")
    monkeypatch.setenv("TWO", "canary-2")

    found = engine_keys(settings("ONE", None, "TWO", "ONE"))
    assert found == {"h/s0": "canary-1", "h/s2": "canary-2", "h/s3": "canary-1"}


def test_all_that_cannot_be_used_is_named_and_not_shown(monkeypatch):
    monkeypatch.setenv("GOOD", "canary")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("LINE", "canary\nx: y")
    monkeypatch.setenv("WIDE", "canaré")
    monkeypatch.setenv("LONG", "canary" * 100)
    with pytest.raises(SettingsError) as raised:
        engine_keys(settings("GOOD", "EMPTY", "LINE", "WIDE", "LONG", "NOT_THERE"))

    named = [problem.split(";")[0].split(":")[:2] for problem in raised.value.problems]
    assert [(place, said.split()[0]) for place, said in named] == [
        ("services[1].api_key_env of h/s1", "EMPTY"),
        ("services[2].api_key_env of h/s2", "LINE"),
        ("services[3].api_key_env of h/s3", "WIDE"),
        ("services[4].api_key_env of h/s4", "LONG"),
        ("services[5].api_key_env of h/s5", "NOT_THERE"),
    ]
    assert "canar" not in str(raised.value)
