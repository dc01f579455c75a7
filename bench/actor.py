"""One program of a comparison as a process: pinned to cores, frozen when it is not its turn."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bench.processes import family, usage

STOP_SECONDS = 5.0
DRAIN_SECONDS = 5.0
DRAIN_STEP_SECONDS = 0.1
IDLE_SHARE = 0.05  # of a core; less is nothing: timers, health checks


class Actor:
    """Runs `command` on `cores`; its output goes to `log`."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        cores: Collection[int],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        own = os.sched_getaffinity(0)
        # What is started inherits our cores, so that no thread of it ever runs elsewhere.
        os.sched_setaffinity(0, cores)
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, **(environment or {})},
                    # Ctrl-C of a terminal is for us; we stop the others, frozen ones too.
                    start_new_session=True,
                )
        finally:
            os.sched_setaffinity(0, own)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def last_words(self) -> str:
        """Return the last line that it wrote."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip()[:200] if lines else "it said nothing"

    def freeze(self) -> None:
        """Let it do nothing: a slow one works off its backlog long after its turn."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def spread(self, cores: Collection[int]) -> None:
        """Let it run on these cores from now on."""
        for pid in family(self.pid):
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(task), cores)

    def drain(self) -> bool:
        """Wait until it does nothing any more; return whether it came to that in 5 s."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline:
            pids = family(self.pid)
            before = usage(pids).cpu_ns
            time.sleep(DRAIN_STEP_SECONDS)
            if usage(pids).cpu_ns - before < IDLE_SHARE * DRAIN_STEP_SECONDS * 1e9:
                return True
        return False

    def stop(self) -> None:
        """End it and all that came of it."""
        pids = family(self.pid)
        self.thaw()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        # Whatever is left of the family that was there; a frozen process takes this, too.
        for pid in pids if self.alive else pids[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        for pid in family(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
