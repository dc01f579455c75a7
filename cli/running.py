"""The note that a running `geniehive up` leaves, so that other commands find it."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psutil

NAME = "up.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A `geniehive up`: its process and, once they are known, its addresses."""

    pid: int
    started: float  # when the process was created, seconds since the epoch
    control: str = ""
    gateway: str = ""
    keyed: bool = False  # whether it asks for the keys of its state folder

    def lives(self) -> bool:
        """Return whether that very process still runs; numbers of processes are used again."""
        try:
            created: float = psutil.Process(self.pid).create_time()
        except psutil.Error:
            return False
        return abs(created - self.started) < 1.0

    def since(self) -> str:
        """Return the local time of its start: `13:02`."""
        return datetime.fromtimestamp(self.started).strftime("%H:%M")


def ourselves(control: str = "", gateway: str = "", *, keyed: bool = False) -> Running:
    """Return the note of this process, with its addresses once they are known."""
    return Running(os.getpid(), psutil.Process().create_time(), control, gateway, keyed)


def read(state: Path) -> Running | None:
    """Return the `up` that runs on `state`, or None."""
    try:
        found = Running(**json.loads((state / NAME).read_text()))
        return found if found.lives() else None
    except (OSError, ValueError, TypeError):
        return None


def write(state: Path, running: Running) -> None:
    """Leave the note; a reader sees the old one or the new one, never half of it."""
    descriptor, name = tempfile.mkstemp(dir=state, prefix=f"{NAME}.")
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(running), file)
    os.replace(name, state / NAME)


def remove(state: Path) -> None:
    """Take the note away."""
    (state / NAME).unlink(missing_ok=True)
