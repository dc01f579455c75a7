"""`geniehive status --watch` on a real terminal, and without one."""

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import contextmanager
from fcntl import ioctl

import psutil
import pytest

from cli.terminal import ENTER, LEAVE
from tests.integration.cli.small_hive import COMMAND, environment, small_hive
from tests.processes import START_SECONDS, wait_until


class Watching:
    """The command on a terminal of its own."""

    def __init__(self, process, terminal):
        self.process = process
        self._terminal = terminal
        self.seen = ""

    def until(self, pattern):
        """Wait until the screen has shown `pattern` since the last time; return the match."""
        deadline = time.monotonic() + START_SECONDS
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < deadline, f"{pattern!r} never shown:\n{self.seen!r}"
            self._read(0.1)
        self.seen = self.seen[found.end() :]
        return found

    def press(self, key):
        os.write(self._terminal, key.encode())

    def resize(self, lines, columns):
        ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def ended(self):
        """Return the exit code and all that was shown until then."""
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"never ended:\n{self.seen!r}"
            self._read(0.1)
        while self._read(0):
            pass
        return self.process.returncode, self.seen

    def modes(self):
        return termios.tcgetattr(self._terminal)[3]

    def _read(self, seconds):
        """Take what is shown; return whether there was anything."""
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        self.seen += os.read(self._terminal, 65_536).decode() if ready else ""
        return bool(ready)


@contextmanager
def watching(cluster, *arguments):
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, "status", "--watch", *arguments],
        env=environment(cluster, TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    try:
        yield Watching(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_in_place_until_q_with_the_terminal_as_it_was(hive):
    with watching(hive) as screen:
        screen.until(re.escape(ENTER))
        before = screen.modes()
        screen.until(r"1 of 1 host up .*\r?\n?")
        first = screen.until(r"updated (\d\d:\d\d:\d\d) \| q quits")[1]
        assert not screen.modes() & termios.ICANON
        second = screen.until(r"updated (\d\d:\d\d:\d\d) \| q quits")[1]
        while second == first:  # drawn again before the next second
            second = screen.until(r"updated (\d\d:\d\d:\d\d) \| q quits")[1]

        screen.process.send_signal(signal.SIGTSTP)
        screen.until(re.escape(LEAVE))
        wait_until(lambda: screen.modes() & termios.ICANON, START_SECONDS, "the shell's modes")
        # It gives the terminal back before it stops: told to go on too soon, it stops after that.
        stopped = psutil.Process(screen.process.pid)
        wait_until(lambda: stopped.status() == psutil.STATUS_STOPPED, START_SECONDS, "its stop")
        screen.process.send_signal(signal.SIGCONT)
        screen.until(re.escape(ENTER))
        screen.until(r"1 of 1 host up")

        screen.resize(3, 40)
        screen.until(r"\.\.\. \d+ more lines")
        screen.press("x")
        screen.press("q")
        code, seen = screen.ended()

        assert code == 0
        assert seen.endswith(LEAVE)
        assert screen.modes() & termios.ICANON
        assert before is not None


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_every_end_gives_the_terminal_back(hive, number, code):
    with watching(hive) as screen:
        screen.until(r"updated \d\d:\d\d:\d\d")
        screen.process.send_signal(number)
        ended, seen = screen.ended()

        assert (ended, seen.rstrip().endswith(LEAVE)) == (code, True)
        assert screen.modes() & termios.ICANON


def test_without_control_the_last_view_stays_and_says_how_old_it_is(tmp_path):
    out = tmp_path / "watched"
    with small_hive(tmp_path) as cluster, watching(cluster) as screen, out.open("wb") as file:
        piped = subprocess.Popen(
            [*COMMAND, "status", "--watch", "--json"],
            env=environment(cluster),
            stdin=subprocess.DEVNULL,
            stdout=file,
        )
        try:
            screen.until(r"updated \d\d:\d\d:\d\d")
            wait_until(lambda: out.read_text().count("\n") >= 1, START_SECONDS, "a first line")
            cluster.control.kill()

            screen.until(r"h1 +demo")
            age = int(screen.until(r"STALE (\d+)s: control unreachable, last view \| q quits")[1])
            while int(screen.until(r"STALE (\d+)s: control unreachable")[1]) <= age:
                pass
            screen.until(r"1 of 1 host up")
            screen.press("q")
            assert screen.ended()[0] == 0

            wait_until(lambda: "unreachable" in out.read_text(), START_SECONDS, "a last line")
        finally:
            piped.send_signal(signal.SIGINT)
            code = piped.wait()
        with watching(cluster) as refused:
            ended, seen = refused.ended()

    assert code == 130
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert {line["schema"] for line in lines} == {"geniehive.status/1"}
    assert lines[0]["problem"] is None
    assert lines[-1]["problem"] == "control unreachable"
    assert [host["host_id"] for host in lines[-1]["hosts"]] == ["h1"]
    assert (ended, ENTER in seen) == (3, False)
