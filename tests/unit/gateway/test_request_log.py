"""Lines of JSON about requests: what stands in them, and what they cost."""

import asyncio
import errno
import io
import json
import threading

import pytest
from geniehive.v1 import inventory_pb2 as inventory

from control.api.errors import HeadersTooLarge
from gateway import request_log
from gateway.reasoning import Usage
from gateway.request_head import RequestHead
from gateway.request_log import MAX_MODEL, Note, RequestLog

HEAD = RequestHead(inventory.OPERATION_CHAT, b"/v1/chat/completions", [])
USAGE = Usage(prompt_tokens=12, completion_tokens=3)


def note(**fields):
    known = {
        "request_id": b"req_1",
        "model": "chat",
        "service_id": "h/a",
        "asset": b'"m\\u00fc"',
        "attempts": 2,
        "queued": 0.3004,
        "outcome": "answered",
        "status": 200,
        "duration": 0.25,
        "usage": USAGE,
    }
    made = Note(new_log(), HEAD.path, b"")
    for name, value in {**known, **fields}.items():
        setattr(made, name, value)
    return made


def new_log(part=""):
    return RequestLog(lambda: 1_800_000_000.0, lambda: 1.0, part)


def lines(*notes, part=""):
    log, out = new_log(part), io.StringIO()
    for one in notes:
        log.add(one)
    log.write(out, 1_000)
    return out.getvalue().splitlines()


def test_a_line_tells_who_served_and_what_it_took():
    (line,) = lines(note(), part="worker 1")

    assert json.loads(line) == {
        "time": "2027-01-15T08:00:00.000Z",
        "level": "info",
        "logger": "gateway.requests",
        "message": "POST /v1/chat/completions",
        "part": "worker 1",
        "request_id": "req_1",
        "model": "chat",
        "service": "h/a",
        "asset": "mü",
        "attempts": 2,
        "queue_ms": 300,
        "outcome": "answered",
        "status": 200,
        "duration_s": 0.25,
        "prompt_tokens": 12,
        "completion_tokens": 3,
    }


@pytest.mark.parametrize("model", ["a\nb", "\u2028", "\x1b[31m", '","status":200', "x" * 1_000])
def test_what_a_client_calls_a_model_stays_within_its_field(model):
    made = note(service_id="", asset=b"", usage=None)
    made.named(model)
    (line,) = lines(made)

    assert len(made.model) <= MAX_MODEL  # of what waits, too
    assert line.isascii()
    assert json.loads(line)["model"] == model[:MAX_MODEL]


def test_one_that_waited_twice_waited_so_long_in_all():
    made = note(queued=0.0)
    made.waited(0.25, 3)
    made.waited(1.0, 1)

    assert json.loads(lines(made)[0])["queue_ms"] == 1_250


def test_what_was_never_a_request_has_its_line_too():
    log, out = new_log(), io.StringIO()
    log.refuse(b"req_2", HeadersTooLarge("a head has at most 32 KB"))
    log.write(out, 9)
    told = json.loads(out.getvalue())

    assert told["message"] == request_log.NOT_READ
    assert (told["request_id"], told["status"]) == ("req_2", 431)
    assert (told["outcome"], told["attempts"], told["model"]) == ("headers_too_large", 0, "")


def test_more_than_can_be_kept_is_counted_and_told(monkeypatch, caplog):
    monkeypatch.setattr(request_log, "MAX_NOTES", 2)

    assert len(lines(note(), note(), note())) == 2
    assert "1 requests are not in the log" in caplog.text


class Full(io.StringIO):
    """A file on a disk without space, until there is some."""

    space = False

    def write(self, text):
        if not self.space:
            raise OSError(errno.ENOSPC, "no space")
        return super().write(text)


@pytest.mark.anyio
async def test_what_could_not_be_written_is_counted_and_the_rest_written(monkeypatch, caplog):
    monkeypatch.setattr(request_log, "INTERVAL_SECONDS", 0.001)
    log, out = new_log(), Full()
    running = asyncio.create_task(log.run(out))
    async with asyncio.timeout(5):
        log.add(note())
        while not log.lost:  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0.001)
        out.space = True
        log.add(note(request_id=b"req_later"))
        while log.lost or not out.getvalue():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert "req_later" in out.getvalue()
    assert "1 requests are not in the log" in caplog.text


class Stalled(io.StringIO):
    """A pipe that nobody reads until `read` is set."""

    def __init__(self):
        super().__init__()
        self.asked, self.read = threading.Event(), threading.Event()

    def write(self, text):
        self.asked.set()
        self.read.wait(5)
        return super().write(text)


@pytest.mark.anyio
async def test_a_pipe_that_nobody_reads_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(request_log, "INTERVAL_SECONDS", 0.001)
    log, out = new_log(), Stalled()
    running = asyncio.create_task(log.run(out))
    async with asyncio.timeout(5):
        log.add(note())
        while not out.asked.is_set():  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0.001)

        assert not out.getvalue()
        out.read.set()
        while not out.getvalue():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.anyio
async def test_all_is_written_at_the_end(monkeypatch):
    monkeypatch.setattr(request_log, "INTERVAL_SECONDS", 0.001)
    log, out = new_log(), io.StringIO()
    running = asyncio.create_task(log.run(out))
    for _ in range(500):
        log.add(note())
    while not out.getvalue():  # noqa: ASYNC110  # no event tells it
        await asyncio.sleep(0.001)
    log.add(note(request_id=b"req_last"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert len(out.getvalue().splitlines()) == 501
    assert "req_last" in out.getvalue()
