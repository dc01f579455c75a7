"""How all processes log: one line a record, for people or, as JSON, for programs."""

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from math import inf
from typing import Literal, get_args

from control.api.log_writer import LogWriter
from control.api.settings import Section, SettingsError

VARIABLE = "GENIEHIVE_LOG_FORMAT"

MAX_TEXT = 8_192  # characters of one field
SELDOM_S = 300.0
# What says that a process begins, listens and stops: whoever started it waits for that.
LIVES = frozenset({"control", "node", "gateway"})

Format = Literal["text", "json"]

# The request on whose behalf something is done, where it is not told with a record.
request_id: ContextVar[str] = ContextVar("request_id", default="")
REQUEST_ID_KEY = "x-request-id"  # in the metadata of a call to control
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Log(Section):
    """How a process logs. `format` null: as the variable `GENIEHIVE_LOG_FORMAT` says, or text."""

    format: Format | None = None
    level: Literal["debug", "info", "warning", "error"] = "info"


class AsJson(logging.Formatter):
    """Writes a record as one JSON object in ASCII, so that nothing in it can end its line.

    part: which of several like processes this is; told when it is not empty. A record's
    `fields`, from `extra`, are told as they are.
    """

    def __init__(self, part: str = "") -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _bounded(record.getMessage()),
        }
        if self._part:
            told["part"] = self._part
        if about := getattr(record, "request_id", "") or request_id.get():
            told["request_id"] = _bounded(str(about))
        told |= getattr(record, "fields", {})
        if record.exc_info:
            told["exception"] = _bounded(self.formatException(record.exc_info), last=True)
        if record.stack_info:
            told["stack"] = _bounded(record.stack_info, last=True)
        return json.dumps(told)


class Seldom(logging.Filter):
    """Of what a library says again and again, passes one record in `SELDOM_S`.

    now: seconds, monotonic.
    """

    def __init__(self, library: str, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(library)
        self._now = now
        self._not_before: dict[tuple[str, int], float] = {}  # by its place in the source

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True  # it is not of the library
        place = record.pathname, record.lineno
        if self._now() < self._not_before.get(place, -inf):
            return False
        self._not_before[place] = self._now() + SELDOM_S
        return True


def name_request(metadata: Iterable[tuple[str, object]]) -> None:
    """Let what is done in this task be told of the request that `metadata` of a call names."""
    for key, value in metadata:
        if key == REQUEST_ID_KEY and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            request_id.set(value)


def request_metadata() -> tuple[tuple[str, str], ...]:
    """Return the metadata that tells control of the request of this task."""
    name = request_id.get()
    return ((REQUEST_ID_KEY, name),) if name else ()


def configure(settings: Log, part: str = "") -> None:
    """Log to stderr as `settings` say; where something logs already, as in a test, so it stays.

    Raises:
        SettingsError: the variable names no format.
    """
    form = settings.format or os.environ.get(VARIABLE) or "text"
    if form not in get_args(Format):
        raise SettingsError([f"{VARIABLE}: text or json is expected, not {form[:100]!r}"])
    if logging.getLogger().handlers:
        return
    named = f"{part} %(name)s" if part else "%(name)s"
    text = logging.Formatter(f"%(asctime)s %(levelname)s {named}: %(message)s")
    handler = LogWriter(sys.stderr.fileno())
    handler.setFormatter(AsJson(part) if form == "json" else text)
    least = logging.getLevelNamesMapping()[settings.level.upper()]
    handler.addFilter(lambda record: record.levelno >= least or record.name in LIVES)
    handler.addFilter(Seldom("opentelemetry"))  # two lines every three seconds without a collector
    logging.basicConfig(level=min(least, logging.INFO), handlers=[handler])
    # One line a request of our own to engines, and what a server says of itself, are no events.
    for chatty in ("httpx", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def rfc3339(seconds: float) -> str:
    """Return a time, seconds since 1970, as `2027-01-15T08:00:00.062Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _bounded(text: str, *, last: bool = False) -> str:
    """Return `text` as it can be told: of a long one the beginning, or the end if `last`."""
    if len(text) > MAX_TEXT:
        text = f"…{text[1 - MAX_TEXT :]}" if last else f"{text[: MAX_TEXT - 1]}…"
    # Half of a surrogate pair is no character: strict readers would refuse the whole line.
    return text.encode("utf-8", "replace").decode()
