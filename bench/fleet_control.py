"""The control process that a fleet is measured with."""

import asyncio
import os
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
    """A control process on some cores, with its database in `folder`."""

    def __init__(self, folder: Path, plan: Plan, cores: set[int]) -> None:
        self._folder = folder
        self._plan = plan
        self._cores = cores
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, listen: str) -> str:
        """Start it and return the address that it listens on.

        Raises:
            FleetFailed: it ended, or took too long.
        """
        registry = {
            "heartbeat_interval_s": self._plan.interval,
            "max_heartbeats_per_s": self._plan.beats_per_second,
        }
        storage = {"sqlite_path": str(self._folder / DATABASE)}
        settings = self._folder / "control.yaml"
        settings.write_text(
            yaml.safe_dump({"listen": listen, "storage": storage, "registry": registry})
        )
        log = self._folder / "control.log"
        self._process = tethered(["control", "--config", str(settings)], log)
        os.sched_setaffinity(self._process.pid, self._cores)

        def port() -> str:
            assert self._process is not None
            if self._process.poll() is not None:
                raise FleetFailed(f"control ended: {log.read_text()[-500:]}")
            _, said, rest = log.read_text().rpartition("listening on 127.0.0.1:")
            number, whole, _ = rest.partition("\n")
            return number if said and whole else ""  # other lines come before

        await until(lambda: bool(port()), "control does not start", START_SECONDS)
        return f"127.0.0.1:{port()}"

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


def tethered(module: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a module that ends when this process does, however that ends."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "cli.tethered", *module],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that `tethered` started, unless it has ended."""
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
