"""The names of the last list: bounded, ours alone, and never trusted."""

import os

import pytest

from cli import names


def test_names_are_kept_by_kind(tmp_path):
    names.remember(tmp_path, hosts=["tower", "attic"])
    names.remember(tmp_path, models=["qwen3:14b"])

    assert names.recall(tmp_path, "hosts", "") == ["tower", "attic"]
    assert names.recall(tmp_path, "hosts", "to") == ["tower"]
    assert names.recall(tmp_path, "models", "q") == ["qwen3:14b"]
    assert (tmp_path / names.NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [names.NAME]


def test_a_question_makes_no_state_folder(tmp_path):
    names.remember(tmp_path / "state", hosts=["tower"])

    assert not (tmp_path / "state").exists()
    assert names.recall(tmp_path / "state", "hosts", "") == []


def test_they_are_bounded(tmp_path):
    names.remember(tmp_path, hosts=[f"h{number}" for number in range(10_000)] + ["x" * 300])

    assert len(names.recall(tmp_path, "hosts", "")) == names.MOST


@pytest.mark.parametrize(
    "hostile",
    [
        *("$(reboot)", "a b", "`x`", "\x1b[2J", 'a"', "a\nb", ""),
        *("x;reboot", "x&reboot", "x|sh", "x>y", "<(x)", "*", "{a,b}", "#", "!!", "~root"),
        *("--control=evil:1", "-q"),
    ],
)
def test_what_a_shell_would_obey_is_no_name(tmp_path, hostile):
    names.remember(tmp_path, models=[hostile, "good"])

    assert names.recall(tmp_path, "models", "") == ["good"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"hosts": 3}', '{"hosts": null}', "[" * 200_000])
def test_garbage_holds_no_names(tmp_path, text):
    (tmp_path / names.NAME).write_text(text)

    assert names.recall(tmp_path, "hosts", "") == []


def test_a_pipe_in_their_place_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / names.NAME)

    assert names.recall(tmp_path, "hosts", "") == []


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr(names.tempfile, "mkstemp", refuse)
    names.remember(tmp_path, hosts=["tower"])
