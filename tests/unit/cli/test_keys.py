"""Keys are made once, for their owner alone, and shown only where they are asked for."""

import json
import os

import pytest

from cli import cluster, keys, running
from cli.access import Access
from cli.output import Failure


def test_keys_are_made_once_and_nobody_else_reads_them(tmp_path):
    made, new = keys.ensure(tmp_path / "state")
    again, newer = keys.ensure(tmp_path / "state")

    assert (new, newer) == (True, False)
    assert made == again
    assert (tmp_path / "state" / keys.NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == [keys.NAME]


def test_keys_are_all_different_and_long(tmp_path):
    made, _ = keys.ensure(tmp_path)
    all_of_them = [made.client, made.node, made.gateway, made.operator, made.admin]

    assert len(set(all_of_them)) == 5
    assert all(one.startswith("gh_") and len(one) == 46 for one in all_of_them)
    assert not any(one in repr(made) for one in all_of_them)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"client": "a"}', "\x00", "[" * 100_000])
def test_a_file_that_holds_no_keys_is_told(tmp_path, text):
    (tmp_path / keys.NAME).write_text(text)
    (tmp_path / keys.NAME).chmod(0o600)

    with pytest.raises(Failure, match="holds no keys"):
        keys.ensure(tmp_path)


@pytest.mark.parametrize("key", [5, None, "", "two words", "a\n", "k" * 513])
def test_what_cannot_be_a_key_is_told_where_it_stands(tmp_path, key):
    """An empty one would let everybody in, or nobody."""
    keys.ensure(tmp_path)
    kept = json.loads((tmp_path / keys.NAME).read_text())
    (tmp_path / keys.NAME).write_text(json.dumps({**kept, "node": key}))

    with pytest.raises(Failure, match="holds no keys"):
        keys.kept(tmp_path)


def test_keys_that_cannot_be_written_leave_nothing_behind(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keys.json, "dump", full)
    with pytest.raises(Failure, match="cannot be written: no space left on device"):
        keys.ensure(tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_keys_that_everybody_can_read_are_refused(tmp_path):
    keys.ensure(tmp_path)
    (tmp_path / keys.NAME).chmod(0o644)

    with pytest.raises(Failure, match="chmod 600"):
        keys.ensure(tmp_path)


@pytest.mark.parametrize("asked", [cluster.operator, cluster.administrator])
def test_commands_here_present_the_key_of_the_running_up(tmp_path, monkeypatch, asked):
    for name in ("GENIEHIVE_OPERATOR_KEY", "GENIEHIVE_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    made, _ = keys.ensure(tmp_path)
    here, elsewhere = Access(None, tmp_path), Access("192.168.1.9:8801", tmp_path)
    running.write(tmp_path, running.ourselves())
    assert asked(here) == ()  # it asks for none
    running.write(tmp_path, running.ourselves(keyed=True))

    assert asked(here) == (("authorization", f"Bearer {made.admin}"),)
    assert asked(elsewhere) == ()
    monkeypatch.setenv("GENIEHIVE_OPERATOR_KEY", "mine")
    assert asked(here) == (("authorization", "Bearer mine"),)
