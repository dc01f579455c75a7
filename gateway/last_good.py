"""The tables a gateway held last, in a file: so that it can start while control is away.

The file is only as good as what protects it: its mode, and where the gateway has a key a
MAC under it. Without a key, a digest tells damage and nothing else.
"""

import fcntl
import hashlib
import hmac
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from geniehive.v1 import routing_service_pb2 as pb
from google.protobuf.message import DecodeError

NAME = "gateway.last-good"
MAX_BYTES = 256 << 20

_KIND = b"geniehive last good "
_VERSION = b"1\n"
_MAC_BYTES = 32
_TIME_AND_LENGTHS = struct.Struct(">dIII")
_PURPOSE = b"geniehive gateway last-good file"


class Refused(Exception):
    """The file cannot be used; the message says why, for one line of the log."""


@dataclass(frozen=True, slots=True)
class LastGood:
    """What a gateway knew at a time."""

    at: float  # seconds since the epoch: when it was known to be true
    control: str  # the address of the control that told it
    routes: pb.TableUpdate  # a snapshot
    keys: pb.TableUpdate


def snapshot(identity: pb.TableIdentity, pushed: Iterable[bytes]) -> pb.TableUpdate:
    """Return a table in one message. pushed: its resources, as control sent them."""
    update = pb.TableUpdate(identity=identity, snapshot=True, settled=True)
    for resource in pushed:
        update.upserts.add().MergeFromString(resource)
    return update


def encode(known: LastGood, key: str | None) -> bytes:
    """Return the content of the file. key: the gateway's own, for control."""
    parts = [
        known.control.encode(),
        known.routes.SerializeToString(),
        known.keys.SerializeToString(),
    ]
    content = b"".join([_TIME_AND_LENGTHS.pack(known.at, *map(len, parts)), *parts])
    return _KIND + _VERSION + _mac(content, key) + content


def decode(content: bytes, key: str | None, control: str) -> LastGood:
    """Return what `content` says, written with the same key for the same control.

    Raises:
        Refused: it is not such a file, or was changed.
    """
    if not content.startswith(_KIND):
        raise Refused("it is not a last-known-good file")
    start = len(_KIND) + len(_VERSION)
    if content[len(_KIND) : start] != _VERSION:
        raise Refused("its format is not known to this version")
    mac, content = content[start : start + _MAC_BYTES], content[start + _MAC_BYTES :]
    if not hmac.compare_digest(mac, _mac(content, key)):
        raise Refused("it is damaged, or was written with another gateway key")
    # From here on it is what a gateway wrote.
    try:
        at, *lengths = _TIME_AND_LENGTHS.unpack_from(content)
        parts, start = [], _TIME_AND_LENGTHS.size
        for length in lengths:
            parts.append(content[start : start + length])
            start += length
        written_for = parts[0].decode()
        routes = pb.TableUpdate.FromString(parts[1])
        keys = pb.TableUpdate.FromString(parts[2])
    except (struct.error, UnicodeDecodeError, DecodeError) as error:
        raise Refused("its content is not readable") from error
    if written_for != control:
        raise Refused(f"it is about the control at {written_for}")
    return LastGood(at, written_for, routes, keys)


def _mac(content: bytes, key: str | None) -> bytes:
    content = _KIND + _VERSION + content
    if key is None:
        return hashlib.sha256(content).digest()
    derived = hmac.digest(key.encode(), _PURPOSE, "sha256")
    return hmac.digest(derived, content, "sha256")


def read(folder: Path, key: str | None, control: str) -> LastGood | None:
    """Return what the file in `folder` says, or None where there is none.

    Raises:
        Refused: it is there, and must not or cannot be used.
    """
    try:
        fd = os.open(folder / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused((error.strerror or str(error)).lower()) from error
    try:
        _check(os.fstat(fd))
        with open(fd, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refused((error.strerror or str(error)).lower()) from error
    finally:
        os.close(fd)
    return decode(content, key, control)


def _check(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Refused("it is not a plain file")
    if found.st_uid != os.geteuid():
        raise Refused("it belongs to another user")
    if found.st_mode & 0o077:
        raise Refused(f"others may use it (mode {stat.S_IMODE(found.st_mode):o}, not 600)")
    if found.st_size > MAX_BYTES:
        raise Refused(f"it is larger than {MAX_BYTES >> 20} MiB")


def write(folder: Path, content: bytes) -> None:
    """Replace the file in `folder`; after a crash at any moment it is the old or the new one.

    Raises:
        OSError: it could not be written, and the old one stays.
    """
    new = folder / f"{NAME}.new"
    new.unlink(missing_ok=True)  # of a crash
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
    new.rename(folder / NAME)
    directory = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def elected(folder: Path) -> int | None:
    """Return a lock that makes this process the one that writes; None: another one is.

    It is ours until the process ends. The folder is made if it is not there.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(folder / f"{NAME}.lock", flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError:
        os.close(lock)
        raise
    return lock
