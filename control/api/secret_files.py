"""Files that hold secrets, and who else can read them."""

import errno
import os
import stat
from pathlib import Path


def open_to_all(path: Path) -> bool:
    """Return whether every user of this machine can read or write `path`.

    Groups are left alone: that is how containers are given their secrets. Windows does not
    tell by mode.

    Raises:
        OSError: the file is not there.
    """
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))


def read_secret(path: Path) -> bytes:
    """Return what the file at `path` holds.

    Raises:
        OSError: it cannot be read, or everybody can read it.
    """
    if open_to_all(path):
        raise PermissionError(errno.EACCES, "everybody can read it; chmod 600", str(path))
    return path.read_bytes()
