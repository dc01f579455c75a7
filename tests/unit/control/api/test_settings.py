"""From YAML to settings: what is refused is named with its line and as it was written."""

from typing import Literal

import pytest
from pydantic import Field, field_validator

from control.api import settings
from control.api.settings import Address, Profiled, Section, SettingsError


class Wait(Section):
    first: int = 0


class Config(Profiled):
    waits: dict[Literal["red", "blue"], Wait] = Field(default_factory=dict)
    host: str = ""
    listen: Address = "127.0.0.1:1"
    count: int = 0

    @field_validator("host")
    @classmethod
    def _known(cls, host):
        if host:
            raise ValueError(f"Nobody knows {host}")
        return host


def problem(tmp_path, text):
    """Return the one line that says why `text` is refused, from its line number on."""
    path = tmp_path / "some.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        settings.read(path, Config)
    (line,) = str(refused.value).splitlines()
    return line.removeprefix(f"{path}:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nx: 2020-13-45", "2: '2020-13-45' is no timestamp"),
        ("y: !!int abc", "1: 'abc' is no int"),
        ("y: !!int ''", "1: '' is no int"),
        ("y: !!float abc", "1: 'abc' is no float"),
        ("y: !!bool perhaps", "1: 'perhaps' is no bool"),
        ("y: !!timestamp soon", "1: 'soon' is no timestamp"),
        ("- a\n- !!int b", "2: 'b' is no int"),
        ("a: {b: [1, !!int c]}", "1: 'c' is no int"),
        (f"y: {'9' * 5_000}", f"1: '{'9' * 60}' is no int"),
    ],
)
def test_a_scalar_that_is_not_what_its_type_says_is_named_with_its_line(tmp_path, text, said):
    assert problem(tmp_path, text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("host: MyHost.LAN", "1: host: nobody knows MyHost.LAN"),
        ("listen: MyHost.LAN", "1: listen: 'MyHost.LAN' is not host:port"),
    ],
)
def test_values_are_shown_as_they_are_written(tmp_path, text, said):
    assert problem(tmp_path, text).startswith(said)


def test_how_a_value_was_read_is_not_told(tmp_path):
    assert problem(tmp_path, "count: Many") == "1: count: input should be a valid integer"


def test_what_is_wrong_with_a_file_is_told_line_by_line(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("hots: x\ncount: Many\nlistn: x\nhost: x\n")
    with pytest.raises(SettingsError) as refused:
        settings.load(path, Config, strict=True)

    lines = [line.removeprefix(f"{path}:")[0] for line in refused.value.problems]
    assert lines == ["1", "2", "3", "4"]


def test_below_names_of_ones_own_keys_are_checked_as_elsewhere(tmp_path):
    said = problem(tmp_path, "deployment_profile: foundation\nwaits: {red: {fisrt: 1}}")
    assert said == "2: unknown key waits.red.fisrt; nearest: first"


def test_a_name_that_is_none_of_those_there_are_is_refused(tmp_path):
    said = problem(tmp_path, "waits:\n  green: {first: 1}")
    assert said == "2: waits.green: input should be 'red' or 'blue'"
