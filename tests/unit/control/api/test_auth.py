"""Keys of callers: where they come from, and what cannot be one."""

import pytest

from control.api import auth
from control.api.settings import SettingsError


@pytest.mark.parametrize("key", ["k", "sk-~!", "x" * auth.MAX_KEY_CHARACTERS])
def test_key_is_taken_as_it_stands(monkeypatch, key):
    monkeypatch.setenv("SOME_KEY", key)

    assert auth.key_from("SOME_KEY") == key


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_without_a_value_is_no_key(monkeypatch, value):
    monkeypatch.delenv("SOME_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("SOME_KEY", value)

    assert auth.key_from("SOME_KEY") is None


@pytest.mark.parametrize(
    "key",
    ["secret\n", "secret\r\n", " secret", "sec ret", "sécret", "secret\x7f", "secret" * 100],
)
def test_what_metadata_cannot_carry_is_refused_without_being_shown(monkeypatch, key):
    monkeypatch.setenv("SOME_KEY", key)
    with pytest.raises(SettingsError, match=r"^SOME_KEY ") as refused:
        auth.key_from("SOME_KEY")

    assert len(refused.value.problems) == 1
    assert "ecret" not in str(refused.value)
    assert "\n" not in str(refused.value)
