"""The graphics processor of a Mac with a chip of Apple, which shares the machine's memory."""

import platform
import subprocess
from collections.abc import Callable, Sequence

import psutil

from node.machine.gpu import Seen, seen

SYSCTL = ("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")
SECONDS = 2.0


def look(
    system: tuple[str, str] | None = None, run: Callable[[Sequence[str]], str] | None = None
) -> list[Seen]:
    """Return it, or nothing on other machines.

    system: what it is and its processor, e.g. `("Darwin", "arm64")`.
    """
    if (system or (platform.system(), platform.machine())) != ("Darwin", "arm64"):
        return []
    try:
        name = (run or _run)(SYSCTL).strip()
    except (OSError, subprocess.SubprocessError):
        name = ""
    # How busy it is, only tools that ask for a password tell.
    return [seen("apple-0", name or "Apple", "apple", psutil.virtual_memory().total)]


def _run(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS).stdout
