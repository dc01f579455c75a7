"""Whether files changed, by how they look and without reading them."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

# Tells one content of a file from another; None where there is no file.
Stamp = tuple[int, int, int, int] | None


def look(paths: Iterable[Path]) -> dict[Path, Stamp]:
    """Return how files look now. Blocks where a disk does."""
    return {path: stamp(path) for path in paths}


def stamp(path: Path) -> Stamp:
    """Return how a file looks now."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    # The last one changes when a file may be read again, and nothing else does then.
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def is_special(path: Path) -> bool:
    """Return whether `path` is a pipe or a device: to open one may be to wait for ever."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
