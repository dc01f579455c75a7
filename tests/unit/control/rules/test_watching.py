import os

import pytest

from control.rules.watching import is_special, look


def write(path, text):
    path.write_text(text)
    return look([path])


def test_a_file_that_nobody_touches_looks_the_same(tmp_path):
    path = tmp_path / "a"

    assert write(path, "1") == look([path])
    assert look([path])[path] is not None


def replaced(path):
    (path.parent / "b").write_text("1")
    os.replace(path.parent / "b", path)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("12"),
        lambda path: path.write_text(""),
        lambda path: os.utime(path, ns=(0, 0)),
        lambda path: path.chmod(0o600),
        lambda path: path.unlink(),
        lambda path: path.unlink() or path.mkdir(),
        replaced,
    ],
    ids=["longer", "truncated", "later", "closed", "gone", "a folder", "replaced"],
)
def test_what_changes_a_file_shows(tmp_path, change):
    path = tmp_path / "a"
    before = write(path, "1")

    change(path)

    assert look([path]) != before


def test_a_link_looks_as_what_it_points_to(tmp_path):
    one, other, link = tmp_path / "1", tmp_path / "2", tmp_path / "link"
    one.write_text("x")
    other.write_text("x")
    link.symlink_to(one)
    before = look([link])

    link.unlink()
    link.symlink_to(other)

    assert look([link]) != before


def test_pipes_and_devices_are_special(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("x")

    assert is_special(tmp_path / "pipe")
    assert not any(map(is_special, [tmp_path / "file", tmp_path, tmp_path / "nobody"]))
