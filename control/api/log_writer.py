"""Lines of a log on their way out, past a reader that may stop reading."""

import contextlib
import logging
import os
import queue
import threading

MAX_LINES = 4_096  # that wait to be written
LAST_S = 1.0  # for what waits when the process ends


class LogWriter(logging.Handler):
    """Writes lines to a descriptor in a thread of its own, so that nobody else waits for it.

    A full pipe that nobody reads would hold up an event loop, and all that it serves. What
    does not fit into the queue is dropped, and told of with the next line that is written.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes] = queue.Queue(MAX_LINES)
        self._dropped = 0
        # The process does not wait for it: a reader may never come back.
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self._line(record))
        except queue.Full:
            self._dropped += 1
        except Exception:  # noqa: BLE001  # as all handlers do: who logs is not to fail
            self.handleError(record)

    def flush(self) -> None:
        """Wait until all is written that was logged, but not for long."""
        done = self._lines.all_tasks_done
        with done:
            done.wait_for(lambda: not self._lines.unfinished_tasks, LAST_S)

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            if self._dropped:
                line = self._told_of_dropped() + line
            with contextlib.suppress(OSError):  # nobody reads any more, or the disk is full
                _write(self._descriptor, line)
            self._lines.task_done()

    def _told_of_dropped(self) -> bytes:
        assert self.lock is not None
        with self.lock:  # `emit` is called under it
            dropped, self._dropped = self._dropped, 0
        message = "%d lines of this log were dropped: nobody read it"
        record = logging.LogRecord(__name__, logging.WARNING, "", 0, message, (dropped,), None)
        return self._line(record)

    def _line(self, record: logging.LogRecord) -> bytes:
        return f"{self.format(record)}\n".encode("utf-8", "backslashreplace")


def _write(descriptor: int, data: bytes) -> None:
    # Not by `sys.stderr`: a thread that waits in it would hold its lock at the end of the process.
    while data:
        data = data[os.write(descriptor, data) :]
