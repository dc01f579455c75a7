"""Folders with weights: whatever lies in them, what can be told is told."""

import os
import socket
import sys
from pathlib import Path, PureWindowsPath

import pytest

from node import gguf
from node.machine import scan
from node.machine.scan import Scan
from tests.unit.node.gguf_files import QWEN, TENSORS, header, scalar, string, tensor, texts

NAMED = {"general.architecture": string("llama"), "general.name": string("L")}
SMALL = header(NAMED, [tensor("t", 10)])

posix = pytest.mark.skipif(sys.platform == "win32", reason="a matter of POSIX")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "models"


def write(path, content=SMALL):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def look(*roots):
    return Scan(roots).look()


def test_files_are_told_by_path_with_what_they_say(root):
    write(root / "b" / "Q.GGUF", header(QWEN, TENSORS))
    write(root / "a.gguf")
    write(root / "README.md")
    found = look(root)

    assert [one.path for one in found.files] == [str(root / "a.gguf"), str(root / "b" / "Q.GGUF")]
    assert found.files[1].name == "Qwen3 8B"
    assert found.files[1].quantization == "Q4_K_M"
    assert found.files[1].context_tokens == 40_960
    assert found.files[0].parameter_count == 10
    assert (found.count, found.problems, found.whole) == (2, (), True)


def test_a_model_in_parts_is_one(root):
    write(root / "m-00001-of-00003.gguf", header(NAMED))
    write(root / "m-00002-of-00003.gguf", header({}, [tensor("t", 100)]))
    write(root / "m-00003-of-00003.gguf", header({}, [tensor("u", 23)]))
    write(root / "other" / "m-00001-of-00002.gguf", header(NAMED))
    found = look(root)

    assert found.count == 2
    whole, half = found.files
    assert whole.path.endswith("m-00001-of-00003.gguf")
    assert whole.parameter_count == 123
    assert whole.size_bytes == sum(one.stat().st_size for one in root.glob("*.gguf"))
    assert half.size_bytes > 0
    assert found.problems == (f"{half.path}: 1 of its parts are missing",)


def test_a_projector_is_told_apart_by_its_architecture(root):
    write(root / "mmproj.gguf", header({"general.architecture": string("clip")}))

    assert look(root).files[0].architecture == "clip"


def test_a_root_that_is_not_there_hides_no_other(root):
    write(root / "a.gguf")
    found = look(root / "nowhere", root, Path("~nobody-at-all/models"))

    assert found.count == 1
    assert sorted(one.split(": ")[1] for one in found.problems) == [
        "no such file or directory",
        "there is no such home",
    ]


def test_a_root_within_another_is_told_once(root):
    write(root / "sub" / "a.gguf")

    assert look(root, root / "sub", root).count == 1


@posix
def test_links_that_dangle_loop_or_lead_twice_to_one_file(root):
    write(root / "store" / "weights.gguf")
    (root / "again.gguf").symlink_to(root / "store" / "weights.gguf")
    (root / "gone.gguf").symlink_to(root / "nowhere")
    (root / "gone").symlink_to(root / "nowhere")
    (root / "self.gguf").symlink_to(root / "self.gguf")
    (root / "store" / "up").symlink_to(root)
    (root / "folder.gguf").mkdir()
    write(root / "folder.gguf" / "b.gguf")
    found = look(root)

    assert found.count == 2
    assert f"{root}/gone.gguf: a link to nothing" in found.problems
    assert len(found.problems) == 2


@posix
def test_what_is_no_file_is_never_opened(root, monkeypatch):
    write(root / "a.gguf")
    os.mkfifo(root / "pipe.gguf")
    (root / "device.gguf").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as end:
        monkeypatch.chdir(root)  # paths of sockets are short
        end.bind("socket.gguf")
        found = look(root)

    assert found.count == 1
    assert [one.rpartition(": ")[2] for one in found.problems] == ["no regular file"] * 3


@posix
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(root):
    root.mkdir()
    os.mkfifo(root / "pipe.gguf")

    assert scan._read(str(root / "pipe.gguf")).problem == "no regular file"


class Refusing:
    """Plays a system that refuses some paths, also to root."""

    def __init__(self, monkeypatch, *refused):
        for name in ("scandir", "open"):
            real = getattr(os, name)

            def refuse(path, *arguments, real=real):
                if Path(path).name in refused:
                    raise PermissionError(13, "Permission denied", path)
                return real(path, *arguments)

            monkeypatch.setattr(scan.os, name, refuse)


def test_what_cannot_be_read_hides_nothing_else(root, monkeypatch):
    write(root / "closed" / "a.gguf")
    write(root / "secret.gguf")
    write(root / "z.gguf")
    Refusing(monkeypatch, "closed", "secret.gguf")
    found = look(root)

    assert [Path(one.path).name for one in found.files] == ["secret.gguf", "z.gguf"]
    assert [one.name for one in found.files] == ["", "L"]
    assert found.problems == (
        f"{root / 'closed'}: permission denied",
        f"{root / 'secret.gguf'}: permission denied",
    )


def test_broken_files_are_told_with_what_is_wrong(root):
    write(root / "cut.gguf", SMALL[:-1])
    write(root / "empty.gguf", b"")
    write(root / "page.gguf", b"<html>")
    found = look(root)

    assert found.count == 3
    assert found.files[0].name == "L"
    assert [one.rpartition(": ")[2] for one in found.problems] == [
        "it ends too early",
        "it ends too early",
        "it is no GGUF file",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_can_be_told(root):
    root.mkdir()
    for name in (b"\xff\xfe.gguf", b"a\nb.gguf", "\U0001f600\u202e.gguf".encode()):
        (root / os.fsdecode(name)).write_bytes(SMALL)
    found = look(root)

    assert [one.path.rpartition("/")[2] for one in found.files] == [
        "a\ufffdb.gguf",
        "\ufffd\ufffd.gguf",
        "\U0001f600\ufffd.gguf",
    ]
    assert all(one.path.encode() for one in found.files)


def test_a_header_is_read_again_only_when_its_file_changed(root, monkeypatch):
    one = write(root / "a.gguf")
    two = write(root / "b.gguf")
    read = []
    real = gguf.read
    monkeypatch.setattr(scan.gguf, "read", lambda file, size: read.append(size) or real(file, size))
    looks = Scan([root])
    first = looks.look()
    assert looks.look() == first
    assert len(read) == 2

    write(one, header(NAMED | {"general.file_type": scalar("u32", 7)}))
    two.unlink()
    assert [found.quantization for found in looks.look().files] == ["Q8_0"]
    assert len(read) == 3


def test_headers_that_take_long_are_left_for_the_next_look(root):
    for place in range(3):
        write(root / f"{place}.gguf")
    clock = iter(range(0, 10_000, 4))
    looks = Scan([root], now=lambda: next(clock))
    first, second = looks.look(), looks.look()

    assert [one.name for one in first.files] == ["L", "", ""]
    assert not first.whole
    assert [one.name for one in second.files] == ["L", "L", ""]


def test_folders_that_take_long_are_left(root):
    write(root / "a.gguf")
    clock = iter(range(0, 10_000, 31))
    found = Scan([root], now=lambda: next(clock)).look()

    assert found.problems == (f"{root}: it takes more than 30 s; the rest is left out",)


def test_trees_without_end_are_left(root, monkeypatch):
    monkeypatch.setattr(scan, "MAX_ENTRIES", 5)
    monkeypatch.setattr(scan, "MAX_DEPTH", 2)
    write(root / "1" / "2" / "3" / "deep.gguf")
    write(root / "1" / "2" / "found.gguf")
    other = root.parent / "wide"
    for place in range(10):
        write(other / f"{place}.gguf")
    found = look(root, other)

    assert found.problems == (
        f"{root / '1' / '2' / '3'}: more than 2 folders deep; it is left out",
        f"{other}: more than 5 entries; the rest is left out",
    )
    # What was met before is told.
    assert [Path(one.path).parent for one in found.files] == [root / "1" / "2", other]


def test_what_is_told_is_bounded(root, monkeypatch):
    monkeypatch.setattr(scan, "MAX_TOLD", 7)
    for place in range(120):
        write(root / f"{place:03}{'x' * 200}.gguf", b"")
    found = look(root)

    assert [Path(one.path).name[:3] for one in found.files] == [f"{n:03}" for n in range(7)]
    assert found.count == 120
    monkeypatch.setattr(scan, "MAX_TOLD", 1_000)
    monkeypatch.setattr(scan, "MAX_TOLD_BYTES", 60_000)
    found = look(root)
    assert len(found.problems) == scan.MAX_PROBLEMS
    assert found.problems[-1] == "there is more that is wrong"
    assert found.count == 120
    told = [*found.problems, *(one.path for one in found.files)]
    assert sum(len(one.encode()) for one in told) < 60_000
    assert all(len(one) <= scan.MAX_LINE for one in found.problems)


def test_paths_of_windows_are_joined_and_shown_as_they_are(monkeypatch):
    monkeypatch.setattr(scan.os, "path", __import__("ntpath"))
    folder = PureWindowsPath(r"C:\Users\Zo\xeb\models-00001-of-00002.gguf folder")
    parts = [
        scan._Part(str(folder / name), (1, 0))
        for name in ("m-00002-of-00002.gguf", "m-00001-of-00002.GGUF", "single.gguf")
    ]
    single, joined = scan._joined(parts)

    assert joined.path == str(folder / "m-00001-of-00002.GGUF")
    assert (joined.missing, joined.size) == (0, 2)
    assert single.path == str(folder / "single.gguf")
    assert scan.shown(joined.path) == joined.path


def test_a_vocabulary_without_end_costs_no_more_than_its_bound(root):
    write(root / "a.gguf", header({"t": texts([""] * 1000)}) + bytes(1000))

    assert look(root).problems == ()
