"""Streams, colours and questions."""

import io

import pytest

from cli.output import Failure, Output, clean, runnable


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("NO_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("color", "stream", "environment", "expected"),
    [
        ("auto", Terminal(), {}, True),
        ("auto", io.StringIO(), {}, False),
        ("auto", Terminal(), {"NO_COLOR": ""}, False),
        ("auto", Terminal(), {"TERM": "dumb"}, False),
        ("auto", io.StringIO(), {"CLICOLOR_FORCE": "1"}, True),
        ("auto", io.StringIO(), {"CLICOLOR_FORCE": "0"}, False),
        ("always", io.StringIO(), {"NO_COLOR": "1"}, True),
        ("never", Terminal(), {"CLICOLOR_FORCE": "1"}, False),
    ],
)
def test_colour_is_for_terminals_unless_said_otherwise(
    color, stream, environment, expected, monkeypatch
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert Output(color=color).colorful(stream) is expected


def test_failure_says_what_why_and_how_to_fix():
    failure = Failure("two\nproblems", 2, "x", why="because", fix="do this")

    assert failure.text() == "error: two\nerror: problems\nwhy: because\nfix: do this"


def test_control_characters_are_replaced():
    assert clean("a\x1b[31m\x07b\u202e\n") == "a\ufffd[31m\ufffdb\ufffd\ufffd"


def test_yes_asks_nothing():
    Output(yes=True).confirm("remove it?", "again --yes")


def test_a_command_that_is_not_in_the_path_is_shown_as_it_can_be_typed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv/bin/geniehive"), "up"])
    text = "control of geniehive up is away; next: geniehive status | geniehive hosts"

    assert runnable(text) == (
        "control of geniehive up is away; next: .venv/bin/geniehive status"
        " | .venv/bin/geniehive hosts"
    )
    monkeypatch.setattr("cli.output.shutil.which", lambda _: "/usr/bin/geniehive")
    assert runnable(text) == text
