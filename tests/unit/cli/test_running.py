"""The note of a running `up`."""

import os
import re
from dataclasses import replace

import pytest

from cli import running


def test_note_of_a_living_process_is_found(tmp_path):
    note = running.ourselves("127.0.0.1:1", "http://127.0.0.1:2")
    running.write(tmp_path, note)

    assert running.read(tmp_path) == note
    assert note.pid == os.getpid()
    assert re.fullmatch(r"\d\d:\d\d", note.since())
    assert (tmp_path / running.NAME).stat().st_mode & 0o777 == 0o600


def test_note_of_a_process_whose_number_is_used_again_is_not_believed(tmp_path):
    note = running.ourselves()
    running.write(tmp_path, replace(note, started=note.started - 3_600))

    assert running.read(tmp_path) is None


def test_note_is_taken_away(tmp_path):
    running.write(tmp_path, running.ourselves())
    running.remove(tmp_path)
    running.remove(tmp_path)

    assert running.read(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x", "started": 1}', '{"other": 1}'])
def test_garbage_is_no_note(tmp_path, text):
    (tmp_path / running.NAME).write_text(text)

    assert running.read(tmp_path) is None
