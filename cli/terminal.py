"""A screen that is drawn again and again in place, and the terminal as it was afterwards."""

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import textwrap
import tty
from collections.abc import Iterator
from types import FrameType
from typing import Any

# The other screen of the terminal, without a cursor; lines end at its edge, and do not wrap.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
# Shown at once where the terminal knows how: nobody sees half of a frame.
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
HOME, END_LINE, END_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
KEYS_AT_ONCE = 64


def frame(text: str, footer: str, width: int, height: int) -> str:
    """Return what draws `text` over the frame before, cut to the screen, and `footer` below it.

    width, height: of the screen, in cells.
    """
    lines = [part for line in text.split("\n") for part in _within(line, width)]
    room = max(height - 1, 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"... {len(lines) - room + 1} more lines"]
    drawn = [f"{line}{END_LINE}" for line in [*lines, footer][:height]]
    return BEGIN + HOME + "\r\n".join(drawn) + END_SCREEN + END


def _within(line: str, width: int) -> list[str]:
    """Return what is too long for a line as several; rows of a table fit, and may be coloured."""
    if len(line) <= width or "\x1b" in line:
        return [line]
    return textwrap.wrap(line, max(width, 8)) or [line]


class Terminal:
    """The terminal of this process while `held`. Keys come one by one, unless stdin is no terminal.

    Whatever ends the process, but for SIGKILL, leaves the terminal as it was.
    """

    def __init__(self) -> None:
        self._keyboard = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before: list[Any] | None = None
        self._woken, self._waker = os.pipe()  # never closed: a thread may still wake us
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)

    @property
    def has_keys(self) -> bool:
        """Whether keys can be read."""
        return self._keyboard is not None

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines, in cells."""
        # Not by the environment: what is exported there does not follow a resize.
        with contextlib.suppress(OSError):
            found = os.get_terminal_size(sys.stdout.fileno())
            if found.columns and found.lines:
                return found
        return shutil.get_terminal_size()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Take the terminal, and give it back at the end."""
        before = {
            number: signal.signal(number, handler)
            for number, handler in (
                (signal.SIGTERM, _leave),
                (signal.SIGHUP, _leave),
                (signal.SIGTSTP, self._pause),
                (signal.SIGWINCH, _nothing),  # being woken is all
            )
        }
        waker = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        try:
            self._take()
            yield
        finally:
            # A second Ctrl-C must not leave the terminal half as it was.
            interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._give_back()
            signal.signal(signal.SIGINT, interrupt)
            signal.set_wakeup_fd(waker)
            for number, handler in before.items():
                signal.signal(number, handler)

    def draw(self, text: str, footer: str) -> None:
        """Show `text`, and `footer` below it, instead of what is there."""
        self._write(frame(text, footer, *self.size))

    def wake(self) -> None:
        """End the wait of `keys`; from any thread."""
        with contextlib.suppress(BlockingIOError):  # full: it is awake
            os.write(self._waker, b"\0")

    def keys(self, seconds: float) -> str:
        """Return the keys that were pressed; none after `seconds`, a signal or `wake`."""
        ready = [self._woken, *([] if self._keyboard is None else [self._keyboard])]
        found, _, _ = select.select(ready, [], [], max(seconds, 0))
        if self._woken in found:
            os.read(self._woken, 4096)
        if self._keyboard not in found or self._keyboard is None:
            return ""
        pressed = os.read(self._keyboard, KEYS_AT_ONCE).decode("utf-8", "replace")
        if not pressed:
            self._keyboard = None  # nobody types any more
        return pressed

    def _take(self) -> None:
        if self._keyboard is not None:
            self._before = termios.tcgetattr(self._keyboard)
            tty.setcbreak(self._keyboard)
        self._write(ENTER)

    def _give_back(self) -> None:
        # The terminal may be gone, which is one of the ways to get here.
        with contextlib.suppress(OSError, termios.error):
            self._write(LEAVE)
            if self._before is not None and self._keyboard is not None:
                termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._before)

    def _pause(self, number: int, at: FrameType | None) -> None:
        """Ctrl-Z: the shell gets its terminal back until it continues us."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _leave(number: int, at: FrameType | None) -> None:
    """End as a shell reports it for a signal."""
    sys.exit(128 + number)


def _nothing(number: int, at: FrameType | None) -> None:
    pass
