"""A line of JSON for each request: who served it, how it ended, what it took; never what it said.

A request only leaves a note; lines are made of the notes some time later.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Sized
from functools import partial
from typing import TextIO

import msgspec

from control.api.errors import GenieHiveError
from control.api.logs import rfc3339
from gateway.apart import apart
from gateway.reasoning import Usage
from gateway.record import MAX_MODEL
from gateway.request_head import RequestHead
from gateway.totals import ANSWERED, LEFT
from gateway.upstream import Upstream

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.2
LAST_SECONDS = 0.5  # for what is left at the end
MAX_NOTES = 20_000  # that wait; more than are made in that time
SLICE = 200  # lines written at once
NOT_READ = "refused before it was read"


class Note:
    """A `Witness` that remembers what the line of its request is made of."""

    __slots__ = (
        "_began",
        "_log",
        "asset",
        "attempts",
        "duration",
        "model",
        "outcome",
        "path",
        "queued",
        "request_id",
        "service_id",
        "status",
        "usage",
    )

    def __init__(self, log: "RequestLog", path: bytes, request_id: bytes) -> None:
        self._log = log
        self._began = log.clock()
        self.request_id = request_id
        self.path = path  # empty of what was refused before it was one
        self.model = ""  # as the client calls it; empty when it was not understood
        self.service_id = ""  # the last that was asked; empty for none
        self.asset = b""  # JSON
        self.attempts = 0
        self.queued = 0.0  # seconds that it waited for a free service
        self.outcome = ""  # answered, client_left or the code of an error
        self.status = 0  # as the client was told; 0 when it was not
        self.duration = 0.0  # seconds
        self.usage: Usage | None = None

    def named(self, model: str) -> None:
        self.model = model[:MAX_MODEL]  # or what waits could be large

    def waited(self, seconds: float, position: int) -> None:
        self.queued += seconds

    def attempt(self, upstream: Upstream, asset: bytes) -> bytes:
        self.attempts += 1
        self.service_id, self.asset = upstream.service_id, asset
        return b""

    def first_byte(self) -> None:
        pass

    def failed(self, error: GenieHiveError) -> None:
        pass

    def over(self, status: int, usage: Usage | None, error: GenieHiveError | None) -> None:
        self.usage = usage
        self._end(ANSWERED if error is None else error.code, status)

    def left(self, status: int) -> None:
        self._end(LEFT, status)

    def _end(self, outcome: str, status: int) -> None:
        self.outcome, self.status = outcome, status
        self.duration = self._log.clock() - self._began
        self._log.add(self)


Kept = tuple[float, Note]  # and when its request ended, seconds since 1970


class RequestLog:
    """Keeps notes until they are written.

    wall_time: now, in seconds since 1970. clock: seconds, monotonic.
    """

    def __init__(
        self, wall_time: Callable[[], float], clock: Callable[[], float], part: str = ""
    ) -> None:
        self._wall_time = wall_time
        self.clock = clock
        self._part = part
        self._notes: list[Kept] = []
        self.lost = 0  # notes, because so many waited, or their lines were not written

    def begin(self, head: RequestHead, request_id: bytes) -> Note:
        """Return the witness of a request."""
        return Note(self, head.path, request_id)

    def refuse(self, request_id: bytes, error: GenieHiveError) -> None:
        """Note an answer to what was never a request to anybody, or was not read."""
        Note(self, b"", request_id).over(error.http, None, error)

    def add(self, note: Note) -> None:
        """Keep a note, or count that it is lost."""
        if len(self._notes) < MAX_NOTES:
            self._notes.append((self._wall_time(), note))
        else:
            self.lost += 1

    async def run(self, out: TextIO) -> None:
        """Write to `out` until cancelled, and then what is left, unless nobody reads it."""
        writing: asyncio.Future[bool] | None = None
        try:
            while True:
                await asyncio.sleep(INTERVAL_SECONDS)
                while taken := self._taken(SLICE):
                    # Beside the loop: who should read it may let us wait.
                    writing = asyncio.ensure_future(apart(partial(self._write, out, taken)))
                    self._written(taken, await asyncio.shield(writing))
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    if writing is not None:
                        await asyncio.shield(writing)
                    await apart(partial(self._write, out, self._taken(MAX_NOTES)))

    def write(self, out: TextIO, most: int) -> None:
        """Write at most so many lines, oldest first."""
        taken = self._taken(most)
        self._written(taken, self._write(out, taken))

    def _taken(self, most: int) -> list[Kept]:
        taken, self._notes[:most] = self._notes[:most], []
        return taken

    def _write(self, out: TextIO, taken: Iterable[Kept]) -> bool:
        """Write lines; return whether they could be written."""
        lines = "".join(map(self._line, taken))
        try:
            out.write(lines)
            out.flush()
        except OSError:  # no space is left, or nobody reads; later lines may be written
            return False
        return True

    def _written(self, taken: Sized, done: bool) -> None:
        if not done:
            self.lost += len(taken)
        elif self.lost:
            log.warning("%d requests are not in the log", self.lost)
            self.lost = 0

    def _line(self, kept: Kept) -> str:
        at, note = kept
        told: dict[str, object] = {
            "time": rfc3339(at),
            "level": "info",
            "logger": "gateway.requests",
            "message": f"POST {note.path.decode()}" if note.path else NOT_READ,
        }
        if self._part:
            told["part"] = self._part
        told |= {
            "request_id": note.request_id.decode(),
            "model": note.model,
            "service": note.service_id,
            "asset": msgspec.json.decode(note.asset) if note.asset else "",
            "attempts": note.attempts,
            "queue_ms": round(note.queued * 1_000),
            "outcome": note.outcome,
            "status": note.status,
            "duration_s": round(note.duration, 6),
        }
        if note.usage is not None:
            told["prompt_tokens"] = note.usage.prompt_tokens
            told["completion_tokens"] = note.usage.completion_tokens
        # In ASCII, so that nothing a client sends can end the line.
        return f"{json.dumps(told)}\n"
