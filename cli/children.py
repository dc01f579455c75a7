"""Processes that `geniehive up` starts, watches, restarts and stops."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.output import USAGE, Failure

LISTENING = re.compile(r'^.*\blistening on ([^\s"]+:\d+)(?="|$)', re.MULTILINE)
ERROR = re.compile(r"^error: (.*)$", re.MULTILINE)

POLL_SECONDS = 0.02
START_SECONDS = 60.0  # a cold disk; usually half a second
STOP_SECONDS = 10.0
RESTART_SECONDS = 0.5
MAX_RESTART_SECONDS = 10.0
MAX_LINE_CHARACTERS = 300
STEADY_SECONDS = 60.0  # a child that lived this long starts with a short wait again


@dataclass(frozen=True, slots=True)
class Command:
    """What to start: a module of Python with its arguments."""

    name: str
    module: str
    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    instead: str = ""  # what a person can do where it cannot start


class Child:
    """One child process, restarted whenever it ends by itself."""

    def __init__(self, command: Command, say: Callable[[str], None]) -> None:
        self.command = command
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._offset = 0  # where in the log the present life begins

    async def start(self) -> None:
        """Start the process; its log of the last time is kept as `NAME.log.1`."""
        log = self.command.log
        if log.exists():
            log.replace(log.with_name(f"{log.name}.1"))
        await self._spawn()

    async def keep(self, ready: re.Pattern[str]) -> None:
        """Start the process again whenever it ends; return when it was stopped.

        Whatever it ended with: it ran before, so waiting may help. ready: what it
        logs when it serves.
        """
        assert self._process is not None
        wait = RESTART_SECONDS
        while True:
            born = time.monotonic()
            code = await self._process.wait()
            if self._stopping:
                return
            wait = RESTART_SECONDS if time.monotonic() - born > STEADY_SECONDS else wait
            self._say(
                f"{self.command.name} ended ({_end(code)}), starting it again in {wait:.1f} s: "
                f"{self.command.log}"
            )
            await asyncio.sleep(wait)
            wait = min(wait * 2, MAX_RESTART_SECONDS)
            if self._stopping:
                return
            await self._spawn()
            with contextlib.suppress(Failure):  # it ended again, which is said above
                await self.said(ready)
                self._say(f"{self.command.name} is back")

    async def said(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Return the first match of `pattern` in what this life of the process logs.

        Raises:
            Failure: it ended before, or does not say it for a minute.
        """
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            # Asked before the log is read, so that the last words of a process count.
            ended = self._process.returncode is not None
            if found := pattern.search(self._logged()):
                return found
            if ended:
                raise self.failure()
            await asyncio.sleep(POLL_SECONDS)
        raise Failure(
            f"{self.command.name} is not ready after {START_SECONDS:.0f} s",
            USAGE,
            "start_failed",
            why=_last_line(self._logged()),
            fix=self._fix(),
        )

    async def stop(self) -> None:
        """Ask the process to stop; end it after 10 s."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            self._say(f"{self.command.name} did not stop within {STOP_SECONDS:.0f} s: killed")
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """End the process now."""
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def failure(self) -> Failure:
        """Return why the process could not run, in its own words where it left any."""
        logged = self._logged()
        if said := ERROR.findall(logged):
            return Failure("\n".join(said), USAGE, "start_failed")
        code = self._process.returncode if self._process else None
        return Failure(
            f"{self.command.name} ended ({_end(code)}) before it was ready",
            USAGE,
            "start_failed",
            why=_last_line(logged),
            fix=self._fix(),
        )

    def _fix(self) -> str:
        instead = self.command.instead
        return f"look into {self.command.log}" + (f", or {instead}" if instead else "")

    async def _spawn(self) -> None:
        command = self.command
        with command.log.open("ab") as log:
            self._offset = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a ./control folder in the current directory must not win
                "-m",
                "cli.tethered",
                command.module,
                *command.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **command.environment},
                # Ctrl-C of the terminal is for us; we stop the children in order.
                start_new_session=True,
            )

    def _logged(self) -> str:
        with self.command.log.open("rb") as log:
            log.seek(self._offset)
            return log.read().decode("utf-8", "replace")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip()[:MAX_LINE_CHARACTERS] if lines else ""


def _end(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
