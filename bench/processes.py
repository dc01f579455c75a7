"""What processes use, as Linux tells it under /proc."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU since the start and memory now, of some processes together."""

    cpu_ns: int
    rss_bytes: int


NOTHING = Usage(0, 0)


def lives(pid: int, proc: Path = PROC) -> bool:
    """Return whether there is a process with this id."""
    return (proc / str(pid)).exists()


def family(pid: int, proc: Path = PROC) -> list[int]:
    """Return a process and all that came of it and still run, parents first."""
    found = [pid]
    for one in found:
        for children in _texts(proc / str(one) / "task", "children"):
            found.extend(map(int, children.split()))
    return found


def usage(pids: Iterable[int], proc: Path = PROC) -> Usage:
    """Return what processes use; those that ended count nothing.

    A thread that ended takes its share along: measure over times in which none does.
    """
    cpu_ns = rss = 0
    for pid in pids:
        folder = proc / str(pid)
        # Nanoseconds on a CPU come first. /proc/PID/stat counts in steps of 10 ms.
        cpu_ns += sum(int(text.split()[0]) for text in _texts(folder / "task", "schedstat"))
        with contextlib.suppress(OSError):
            rss += int((folder / "statm").read_text().split()[1]) * _PAGE_BYTES
    return Usage(cpu_ns, rss)


def _texts(tasks: Path, name: str) -> list[str]:
    texts = []
    with contextlib.suppress(OSError):
        for task in sorted(tasks.iterdir()):
            with contextlib.suppress(OSError):
                texts.append((task / name).read_text())
    return [text for text in texts if text.strip()]
