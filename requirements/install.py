"""Install lock files into the environment that runs this, by hash, and show how far it is.

`python requirements/install.py LOCK...`; needs nothing but the standard library and pip.
"""

import re
import subprocess
import sys
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What needs a build is built with what the lock holds, never with what an index serves today.
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
LOCKED = ["--require-hashes", "--no-build-isolation", "--progress-bar", "off"]
OURSELVES = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]

# The first word of pip on each package: fetched now, or there already.
PACKAGE = re.compile(r"^(?:Collecting|Requirement already satisfied:) ([\w.-]+)")
BAR_CELLS = 14


def main(locks: list[str]) -> int:
    """Install `locks` in order, then this project in editable form; return an exit code."""
    for lock in locks:
        pins = re.findall(r"^[\w.-]+==", Path(lock).read_text(), re.MULTILINE)
        if not run([*PIP, *LOCKED, "-r", lock], Path(lock).stem, len(pins)):
            return 1
    return 0 if run([*PIP, *OURSELVES], "geniehive", 1) else 1


def run(command: list[str], label: str, total: int) -> bool:
    """Run pip; return whether it succeeded, having shown its last words if not."""
    words: deque[str] = deque(maxlen=30)
    done = 0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        words.append(line)
        if found := PACKAGE.match(line):
            done = min(done + 1, total)
            show(f"{bar(done, total)}  {done}/{total} {found[1]}", label)
        elif line.startswith("Installing collected packages"):
            show(f"{bar(total, total)}  writing files", label)
    if process.wait() == 0:
        show("ready", label, end="\n")
        return True
    show("failed", label, end="\n")
    sys.stderr.writelines(words)
    return False


def bar(done: int, total: int) -> str:
    cells = BAR_CELLS * done // max(total, 1)
    return f"[{'#' * cells}{'-' * (BAR_CELLS - cells)}]"


def show(text: str, label: str, end: str = "") -> None:
    """Rewrite the current line on a terminal; elsewhere write only what ends a line."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r  {label:<10} {text[:60]:<60}{end}")
    elif end:
        sys.stderr.write(f"  {label:<10} {text}{end}")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
