"""docs/migration.md: old files are answered as it says, and those of today are taken."""

import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click
import pytest

from bench.__main__ import bench
from cli.__main__ import cli
from control.api.settings import load
from control.rules.catalog import read_catalog
from tests.integration.conftest import ROOT

PAGE = (ROOT / "docs/migration.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.M | re.S)
TITLE = re.compile(r"# (\w+)\.yaml, (as it was|now)")
# What is warned of for other reasons: the age of a library, the mode of the file.
UNRELATED = ("SQLite", "everybody can read it")


def files(when: str) -> dict[str, str]:
    """Return the files of the page by name; when: `as it was` or `now`."""
    texts = [text for language, text in BLOCKS if language == "yaml"]
    titled = [(TITLE.match(text), text) for text in texts]
    return {found[1]: text for found, text in titled if found and found[2] == when}


def told(name: str) -> list[list[str]]:
    """Return what is said of an old file, one answer after the other."""
    begin = next(
        place for place, (_, text) in enumerate(BLOCKS) if text.startswith(f"# {name}.yaml, as")
    )
    answers = []
    for language, text in BLOCKS[begin + 1 :]:
        if language != "text":
            break
        answers.append(text.splitlines())
    return answers


def said(service: str, folder: Path) -> list[str]:
    """Start a service, which must refuse its file; return what it says of files."""
    ended = subprocess.run(
        [sys.executable, "-P", "-m", service, "--config", f"{service}.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2, ended.stderr
    lines = re.findall(r"^(?:error: |.* WARNING \w+: )(.*)$", ended.stderr, re.MULTILINE)
    return [line for line in lines if not any(words in line for words in UNRELATED)]


def without(lines: Sequence[str], text: str) -> str:
    """Return a file without the lines that a message names; other lines keep their numbers."""
    numbers = {int(line.split(":")[1]) for line in lines}
    kept = text.splitlines()
    return "\n".join("" if n in numbers else line for n, line in enumerate(kept, 1)) + "\n"


def test_an_old_node_is_told_where_control_is_now(tmp_path):
    (tmp_path / "node.yaml").write_text(files("as it was")["node"])

    assert said("node", tmp_path) == told("node")[0]


def test_old_settings_of_control_are_refused_and_then_warned_of(tmp_path):
    old = files("as it was")
    (tmp_path / "control.yaml").write_text(old["control"])
    refused, warned = told("control")
    assert said("control", tmp_path) == refused

    (tmp_path / "control.yaml").write_text(old["control"].replace("fastest", "scored"))
    (tmp_path / "roles.yaml").write_text(old["roles"])
    of_roles, dangling = told("roles")
    assert said("control", tmp_path) == [*warned, *of_roles]

    (tmp_path / "roles.yaml").write_text(without(of_roles, old["roles"]))
    assert said("control", tmp_path) == [*warned, *dangling]


@pytest.mark.parametrize("name", ["control", "gateway", "node"])
def test_settings_of_today_are_taken(name, tmp_path):
    file = tmp_path / f"{name}.yaml"
    file.write_text(files("now")[name])

    _, warnings = load(file, import_module(f"{name}.config").Config, strict=True)
    assert warnings == []


def test_the_catalog_of_today_is_taken(tmp_path):
    file = tmp_path / "roles.yaml"
    file.write_text(files("now")["roles"])

    assert list(read_catalog(file).warnings) == []


def test_the_commands_that_stand_for_scripts_are_there():
    table = PAGE.partition("## Scripts\n")[2].partition("\n## ")[0]
    lines = [line.split() for line in re.findall(r"`geniehive ([^`]+)`", table)]
    assert len(lines) > 10

    for words in lines:
        command: click.Command = cli
        if words[0] == "bench":  # a command that hands on what comes after it
            command, words = bench, words[1:]
        while isinstance(command, click.Group) and words:
            command = command.commands[words.pop(0)]
        options = {name for one in command.params for name in one.opts}
        assert {word for word in words if word.startswith("--")} <= options
