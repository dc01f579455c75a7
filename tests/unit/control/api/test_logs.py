"""How processes log: one line a record, whatever is in it."""

import json
import logging
import random
import subprocess
import sys

import pytest

from control.api import logs
from control.api.logs import MAX_TEXT, SELDOM_S, AsJson, Log, Seldom
from control.api.settings import SettingsError

# What ends lines, moves cursors, changes colours or the direction of reading, or is no character.
HOSTILE = [
    "\n", "\r\n", "\0", "\x1b[31m", "\x1b]0;title\x07", "\x7f", "\x85", "\u2028", "\u202e",
    "\ufeff", "\ud800", "\udfff", '"', "\\", "{}", "%s", '","level":"error', "</script>",
    "=cmd|' /C calc'!A0", "\N{GRINNING FACE}",
]  # fmt: skip


def record(message: str, *args: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("gateway.exchange", logging.WARNING, __file__, 1, message, args, None)
    made.__dict__.update(fields)
    return made


def texts(count: int) -> list[str]:
    chance = random.Random(27)
    return ["a".join(chance.choices(HOSTILE, k=chance.randint(1, 9))) for _ in range(count)]


@pytest.mark.parametrize("text", texts(200), ids=range(200))
def test_a_hostile_text_is_one_line_that_can_be_read(text: str):
    line = AsJson().format(record("refused: %s", text, request_id=text))
    told = json.loads(line)

    assert line.isascii()
    assert line.isprintable() or "\x7f" in text
    assert len(line.splitlines()) == 1
    told_text = text.encode("utf-8", "replace").decode()
    assert told["message"] == f"refused: {told_text}"
    assert told["request_id"] == told_text
    assert told["level"] == "warning"


def test_what_is_always_told():
    line = AsJson("worker 2").format(record("up", created=1_800_000_000.0625))

    assert json.loads(line) == {
        "time": "2027-01-15T08:00:00.062Z",
        "level": "warning",
        "logger": "gateway.exchange",
        "message": "up",
        "part": "worker 2",
    }


def test_the_request_is_that_of_the_task_where_a_record_names_none():
    token = logs.request_id.set("req_1")
    try:
        told = json.loads(AsJson().format(record("asked")))
    finally:
        logs.request_id.reset(token)

    assert told["request_id"] == "req_1"


def test_an_exception_is_one_field():
    try:
        raise ValueError("no\nway")
    except ValueError:
        made = record("bug", exc_info=sys.exc_info())

    line = AsJson().format(made)

    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: no\nway")


def test_long_texts_are_cut():
    """Of an exception the end is kept, which says what it was."""
    try:
        raise ValueError("x" * 20_000 + "end")
    except ValueError:
        made = record("y" * 20_000, exc_info=sys.exc_info())

    told = json.loads(AsJson().format(made))

    assert len(told["message"]) == len(told["exception"]) == MAX_TEXT
    assert told["exception"].endswith("end")


LOGGING = """
import logging
from control.api import logs
logs.configure(logs.Log(**{settings}))
logging.getLogger("gateway").info("listening")
logging.getLogger("gateway.sse").info("small")
logging.getLogger("httpx").info("chatty")
logging.getLogger("gateway.sse").warning("large")
"""


def logged(settings: dict[str, str], **environment: str) -> str:
    """Return what a process with these settings writes to stderr."""
    code = LOGGING.replace("{settings}", repr(settings))
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stderr


def test_a_level_keeps_what_is_below_out_and_lets_lives_be_told():
    lines = logged({"level": "warning", "format": "json"}).splitlines()

    assert [json.loads(line)["message"] for line in lines] == ["listening", "large"]


def test_without_a_format_the_environment_says_it():
    assert '"message": "large"' in logged({}, **{logs.VARIABLE: "json"})
    assert logged({"format": "text"}, **{logs.VARIABLE: "json"}).endswith(
        " WARNING gateway.sse: large\n"
    )


def test_a_format_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(logs.VARIABLE, "xml")

    with pytest.raises(SettingsError, match="GENIEHIVE_LOG_FORMAT: text or json is expected"):
        logs.configure(Log())


def test_a_library_does_not_say_the_same_all_the_time():
    clock = [100.0]
    passes = Seldom("opentelemetry", lambda: clock[0]).filter
    theirs, other = (
        logging.LogRecord("opentelemetry.exporter", logging.ERROR, "e.py", line, "no", (), None)
        for line in (1, 2)
    )

    assert [bool(passes(one)) for one in (theirs, theirs, other)] == [True, False, True]
    assert passes(record("ours"))
    assert passes(record("ours"))
    clock[0] += SELDOM_S
    assert passes(theirs)
