"""The file is believed as a whole or not at all, and nothing in it can end the gateway."""

import contextlib
import os
import random
from pathlib import Path

import pytest
from geniehive.v1 import routing_service_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from gateway import last_good
from gateway.last_good import LastGood, Refused

KEY = "gateway-key"
CONTROL = "control:8801"
RAW_KEY = b"sk-client-secret"


def known(services=3):
    routes = [
        pb.Resource(name=f"service/h/{n}", service=pb.RouteService(service_id=f"h/{n}"))
        for n in range(services)
    ]
    keys = [pb.Resource(name="settings", settings=pb.KeySettings(hash_secret=b"s" * 32))]
    identity = pb.TableIdentity(store_id="s", incarnation="i", version=7)

    def table(resources):
        return last_good.snapshot(identity, [one.SerializeToString() for one in resources])

    return LastGood(1_700_000_000.5, CONTROL, table(routes), table(keys))


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize("key", [KEY, None], ids=["with-key", "without"])
def test_what_was_written_is_read(folder, key):
    last_good.write(folder, last_good.encode(known(), key))

    assert last_good.read(folder, key, CONTROL) == known()
    assert (folder / last_good.NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [last_good.NAME]


def test_no_file_is_no_fault(folder):
    assert last_good.read(folder, KEY, CONTROL) is None
    assert last_good.read(folder / "nowhere", KEY, CONTROL) is None


def corruption(case, content):
    """Return `content` made wrong, in a way that `case` decides."""
    chance = random.Random(case)
    where = chance.randrange(len(content))
    match case % 5:
        case 0:  # one bit
            return (
                content[:where]
                + bytes([content[where] ^ 1 << chance.randrange(8)])
                + content[where + 1 :]
            )
        case 1:  # cut short
            return content[:where]
        case 2:  # something after it, or in it
            extra = chance.randbytes(chance.randrange(1, 100))
            return content[:where] + extra + content[where:] if case % 2 else content + extra
        case 3:  # a part of zeros, as after a crash of the machine
            end = min(len(content), where + chance.randrange(1, 200))
            zeros = content[:where] + bytes(end - where) + content[end:]
            return zeros if zeros != content else bytes(len(content))
        case _:  # something else altogether
            return chance.randbytes(chance.randrange(500))


@pytest.mark.parametrize("key", [KEY, None], ids=["with-key", "without"])
def test_200_corrupted_files_are_refused_with_a_reason(folder, key):
    content = last_good.encode(known(), key)
    last_good.write(folder, content)
    for case in range(200):
        (folder / last_good.NAME).write_bytes(corruption(case, content))

        with pytest.raises(Refused, match=r"\w+ \w+"):
            last_good.read(folder, key, CONTROL)


@given(st.binary(max_size=400))
def test_content_under_a_right_digest_is_still_only_content(rest):
    """Without a key anybody who can write the file can make the digest."""
    content = last_good._KIND + last_good._VERSION + last_good._mac(rest, None) + rest
    with contextlib.suppress(Refused):
        last_good.decode(content, None, CONTROL)


def mode(bits):
    return lambda path: path.chmod(bits)


def replaced_by(make):
    def replace(path: Path):
        path.unlink()
        make(path)

    return replace


def huge(path: Path):
    with path.open("r+b") as file:
        file.truncate(last_good.MAX_BYTES + 1)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (mode(0o640), r"others may use it \(mode 640, not 600\)"),
        (mode(0o602), "others may use it"),
        (huge, "larger than 256 MiB"),
        (replaced_by(Path.mkdir), "not a plain file"),
        (replaced_by(os.mkfifo), "not a plain file"),
        (replaced_by(lambda path: path.symlink_to("/etc/passwd")), "symbolic links"),
        (replaced_by(lambda path: path.touch(0o600)), "not a last-known-good file"),
    ],
    ids=["group-readable", "world-writable", "huge", "directory", "fifo", "symlink", "empty"],
)
def test_a_file_that_others_could_have_written_is_refused(folder, spoil, reason):
    last_good.write(folder, last_good.encode(known(), KEY))
    spoil(folder / last_good.NAME)

    with pytest.raises(Refused, match=reason):
        last_good.read(folder, KEY, CONTROL)


def test_a_file_of_another_user_is_refused(folder, monkeypatch):
    last_good.write(folder, last_good.encode(known(), KEY))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    with pytest.raises(Refused, match="another user"):
        last_good.read(folder, KEY, CONTROL)


@pytest.mark.parametrize(
    ("written", "read", "reason"),
    [
        (KEY, "another", "another gateway key"),
        (KEY, None, "another gateway key"),
        (None, KEY, "another gateway key"),
    ],
    ids=["key-changed", "key-gone", "key-is-new"],
)
def test_a_file_under_another_key_is_refused(written, read, reason):
    with pytest.raises(Refused, match=reason):
        last_good.decode(last_good.encode(known(), written), read, CONTROL)


def test_a_format_of_the_future_is_refused_as_such():
    content = last_good.encode(known(), KEY).replace(b"last good 1\n", b"last good 2\n")

    with pytest.raises(Refused, match="format is not known"):
        last_good.decode(content, KEY, CONTROL)


def test_the_table_of_another_control_is_refused():
    with pytest.raises(Refused, match="about the control at control:8801"):
        last_good.decode(last_good.encode(known(), KEY), KEY, "elsewhere:8801")


def test_a_write_that_fails_keeps_the_old_file(folder, monkeypatch):
    last_good.write(folder, last_good.encode(known(), KEY))

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        last_good.write(folder, last_good.encode(known(9), KEY))
    monkeypatch.undo()

    assert last_good.read(folder, KEY, CONTROL) == known()
    last_good.write(folder, last_good.encode(known(9), KEY))
    assert last_good.read(folder, KEY, CONTROL) == known(9)


def test_one_of_all_that_share_the_folder_writes(tmp_path):
    folder = tmp_path / "new" / "state"
    lock = last_good.elected(folder)
    assert lock is not None

    assert folder.stat().st_mode & 0o777 == 0o700
    assert last_good.elected(folder) is None
    os.close(lock)
    again = last_good.elected(folder)
    assert again is not None
    os.close(again)


def test_the_lock_leads_nowhere_else(folder):
    (folder / f"{last_good.NAME}.lock").symlink_to(folder / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        last_good.elected(folder)
    assert not (folder / "elsewhere").exists()
