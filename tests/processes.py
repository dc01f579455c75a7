"""Services as real processes, and waiting for facts about them with a deadline."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

START_SECONDS = 30.0  # a cold import on a busy machine; a start is usually under a second
STOP_SECONDS = 15.0  # above the 10 s that every service allows itself

# As text, or at the end of a line of JSON.
LISTENING = re.compile(r"listening on \S+:(\d+)(?:\"\})?$", re.MULTILINE)


def wait_until(fact: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for `fact`; for facts of other processes, which send no events.

    Raises:
        AssertionError: it is still false after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


@contextmanager
def reserved_port() -> Iterator[int]:
    """Yield a port of 127.0.0.1 that nobody else is given before a service of ours listens there.

    For an address that one process must know before another one serves it: a port that
    was merely free may be the kernel's choice for a test that runs beside this one.
    """
    with socket.socket() as holder:
        # Whoever sets one of them, too, as all servers do, may listen where nobody listens yet.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


class Service:
    """A process; its log goes to a file, so that it never blocks on a full pipe.

    `python -P -m ARGUMENTS`, or another `program`, with `environment` added to ours; what
    the last life of the same log said is kept before it.
    """

    def __init__(
        self,
        arguments: list[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = (sys.executable, "-P", "-m"),
    ) -> None:
        self.log = log
        self._offset = log.stat().st_size if log.exists() else 0
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [*program, *arguments],
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                env={**os.environ, **(environment or {})},
            )

    def logged(self) -> str:
        """Return what this life of the process logged."""
        return self.log.read_bytes()[self._offset :].decode("utf-8", "replace")

    def port(self) -> int:
        """Return the port it listens on, once it does."""
        return int(self.wait_for_log(LISTENING)[1])

    def wait_for_log(
        self, pattern: re.Pattern[str], seconds: float = START_SECONDS
    ) -> re.Match[str]:
        """Return the first match in the log, once there is one.

        Raises:
            AssertionError: the process ended, or the time is over.
        """
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

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop it in its tracks: it accepts connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to stop.

        Raises:
            AssertionError: it did not, or not with exit code 0.
        """
        self.process.terminate()
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise AssertionError(
                f"{self.log.stem} did not stop within {STOP_SECONDS} s:\n{self.logged()}"
            ) from error
        assert code == 0, f"{self.log.stem} exited {code}:\n{self.logged()}"


Spawn = Callable[..., Service]


@contextmanager
def spawning(folder: Path) -> Iterator[Spawn]:
    """Start services as real processes; stop them, newest first, at the end.

    Yields `spawn("control", {...settings}, "--flag", KEY="value")`: it writes the settings
    to a file in `folder` and starts `python -P -m control --config FILE --flag` with the
    variable in its environment. Ports are the kernel's choice and read from the log, so
    tests may run in parallel. What still runs at the end must exit 0 on SIGTERM: every
    test tests the shutdown.
    """
    running: list[Service] = []

    def spawn(
        module: str, settings: Mapping[str, object], *flags: str, **environment: str
    ) -> Service:
        name = f"{module}-{len(running)}"
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(dict(settings)))
        arguments = [module, "--config", str(path), *flags]
        # What a gateway remembers must not reach the next test.
        environment.setdefault("GENIEHIVE_STATE_DIR", str(folder / f"{name}-state"))
        running.append(Service(arguments, folder / f"{name}.log", environment))
        return running[-1]

    try:
        yield spawn
    finally:
        stop_all(running)


def stop_all(services: list[Service]) -> None:
    """Stop what still runs, newest first; leave nothing behind even when one of them fails."""
    alive = [service for service in reversed(services) if service.process.poll() is None]
    try:
        for service in alive:
            service.stop()
    finally:
        for service in alive:
            service.kill()
