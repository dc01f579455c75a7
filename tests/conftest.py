"""What all tests share: the event loop, real processes, and waiting with a deadline."""

import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

from tests.fakes.engine import Engine, openai

START_SECONDS = 30.0  # a cold import on a busy machine; a start is usually under a second
STOP_SECONDS = 15.0  # above the 10 s that every service allows itself

LISTENING = re.compile(r"listening on \S+:(\d+)$", re.MULTILINE)

# A deadline an example measures the machine, not the code.
settings.register_profile("geniehive", deadline=None)
settings.load_profile("geniehive")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine(anyio_backend: str) -> AsyncIterator[Engine]:
    """A fake engine that serves the model `small`; give it another script at will."""
    async with Engine(openai(["small"])) as started:
        yield started
    assert started.faults == []


def wait_until(fact: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for `fact`; for facts of other processes, which send no events.

    Raises:
        AssertionError: it is still false after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


class Service:
    """A service as a process; its log goes to a file, so that it never blocks on a full pipe."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                env={**os.environ, **environment},
            )

    def logged(self) -> str:
        return self.log.read_text(errors="replace")

    def port(self) -> int:
        """Return the port it listens on, once it does."""
        found = self._await(LISTENING)
        return int(found[1])

    def wait_for_log(self, pattern: str, seconds: float = START_SECONDS) -> None:
        """Wait until a line of the log matches."""
        self._await(re.compile(pattern, re.MULTILINE), seconds)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to stop; it must do so in order, with exit code 0."""
        self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"{self.log.stem} did not stop within {STOP_SECONDS} s:\n{self.logged()}")
        assert code == 0, f"{self.log.stem} exited {code}:\n{self.logged()}"

    def _await(self, pattern: re.Pattern[str], seconds: float = START_SECONDS) -> re.Match[str]:
        deadline = time.monotonic() + seconds
        while True:
            # Asked before the log is read, so that the last words of a process count.
            code = self.process.poll()
            if found := pattern.search(self.logged()):
                return found
            assert code is None, f"{self.log.stem} exited {code}:\n{self.logged()}"
            assert time.monotonic() < deadline, (
                f"{self.log.stem} never logged {pattern.pattern!r}:\n{self.logged()}"
            )
            time.sleep(0.02)


Spawn = Callable[..., Service]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start services as real processes; stop them, newest first, when the test ends.

    `spawn("control", {...settings}, KEY="value")` writes the settings to a file and starts
    `python -P -m control --config FILE` with the variables in its environment. Ports are
    the kernel's choice and read from the log, so tests may run in parallel. What still runs
    at the end must exit 0 on SIGTERM: every test tests the shutdown.
    """
    running: list[Service] = []

    def start(
        module: str, settings: Mapping[str, object], *flags: str, **environment: str
    ) -> Service:
        name = f"{module}-{len(running)}"
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(dict(settings)))
        command = [sys.executable, "-P", "-m", module, "--config", str(path), *flags]
        service = Service(command, tmp_path / f"{name}.log", environment)
        running.append(service)
        return service

    yield start
    alive = [service for service in reversed(running) if service.process.poll() is None]
    try:
        for service in alive:
            service.stop()
    finally:
        # A failed assertion above must not leave the others behind.
        for service in alive:
            service.kill()
