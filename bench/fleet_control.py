"""The control process that a fleet is measured with."""

import asyncio
import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from bench.fleet_figures import Plan
from bench.processes import Usage, usage

START_SECONDS = 30.0
POLL_SECONDS = 0.1
DATABASE = "geniehive.sqlite3"


class FleetFailed(Exception):
    """The fleet did not get as far as there is something to measure. One line."""


class Control:
    """A control process on some cores, with its database in `folder`.

    roles: a catalog for it.
    """

    def __init__(
        self, folder: Path, plan: Plan, cores: set[int], roles: Path | None = None
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._cores = cores
        self._roles = roles
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, listen: str) -> str:
        """Start it and return the address that it listens on.

        Raises:
            FleetFailed: it ended, or took too long.
        """
        registry = {
            "heartbeat_interval_s": self._plan.interval,
            "max_heartbeats_per_s": self._plan.beats_per_second,
            "grace_s": self._plan.grace,
        }
        storage = {"sqlite_path": str(self._folder / DATABASE)}
        settings = self._folder / "control.yaml"
        content = {"listen": listen, "storage": storage, "registry": registry}
        if self._roles is not None:
            content["roles_path"] = str(self._roles)
        settings.write_text(yaml.safe_dump(content))
        log = self._folder / "control.log"
        self._process = tethered(["control", "--config", str(settings)], log)
        os.sched_setaffinity(self._process.pid, self._cores)

        return await listening(self._process, log)

    def read_again(self) -> None:
        """Let it read its catalog again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def move(self, cores: set[int]) -> None:
        """Let it run on other cores from now on."""
        assert self._process is not None
        move(self._process, cores)

    def used(self) -> Usage:
        """Return CPU and memory so far."""
        assert self._process is not None
        return usage([self._process.pid])

    def transactions(self) -> int:
        """Return how many transactions were committed, modulo 2**32."""
        # https://www.sqlite.org/walformat.html: "iChange", counted up by each of them.
        index = (self._folder / f"{DATABASE}-shm").read_bytes()
        return int(struct.unpack_from("=I", index, 8)[0])

    def kill(self) -> None:
        """End it as a crash does."""
        assert self._process is not None
        end(self._process)

    def end(self) -> None:
        """End it, whether it runs or not; its database is thrown away."""
        if self._process is not None:
            self.kill()


async def until(fact: Callable[[], bool], otherwise: str, seconds: float) -> None:
    """Wait until `fact`; others tell no events.

    Raises:
        FleetFailed: `otherwise`, after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            raise FleetFailed(f"{otherwise} within {seconds:.0f} s")
        await asyncio.sleep(POLL_SECONDS)


async def listening(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address that a process on this machine listens on, by its log.

    Raises:
        FleetFailed: it ended, or took too long.
    """

    def port() -> str:
        if process.poll() is not None:
            raise FleetFailed(f"{log.stem} ended: {log.read_text()[-500:]}")
        _, said, rest = log.read_text().rpartition("listening on 127.0.0.1:")
        number, whole, _ = rest.partition("\n")
        return number if said and whole else ""  # other lines come before

    await until(lambda: bool(port()), f"{log.stem} does not start", START_SECONDS)
    return f"127.0.0.1:{port()}"


def tethered(module: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a module that ends when this process does, however that ends."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "cli.tethered", *module],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )


def move(process: subprocess.Popen[bytes], cores: set[int]) -> None:
    """Let a process, with all its threads, run on these cores from now on."""
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has ended
            os.sched_setaffinity(int(task.name), cores)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that `tethered` started, unless it has ended."""
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
