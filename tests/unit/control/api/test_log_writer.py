"""Who does not read a log holds up nobody, and is told what it missed."""

import logging
import os
import subprocess
import sys
import threading
import time

import pytest

from control.api import log_writer
from control.api.log_writer import LogWriter

PROGRAM = """
import logging
from control.api import logs
logs.configure(logs.Log())
for number in range({lines}):
    logging.getLogger("node").info("%d %s", number, "x" * 1_000)
"""


@pytest.fixture
def pipe():
    """Both ends of a pipe; the one to read first."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def log(pipe):
    writer = LogWriter(pipe[1])
    found = logging.Logger("test")
    found.addHandler(writer)
    yield found
    writer.close()


def read_until(end: int, last: bytes) -> bytes:
    found = b""
    while not found.endswith(last):
        found += os.read(end, 1 << 16)
    return found


def test_what_is_logged_is_written_in_order(pipe, log):
    log.info("one")
    log.warning("two %s", "zw\udcffei")

    assert read_until(pipe[0], b"ei\n") == b"one\ntwo zw\\udcffei\n"


def test_nobody_waits_for_a_reader_that_stopped(pipe, log, monkeypatch):
    monkeypatch.setattr(log_writer, "LAST_S", 0.01)
    lines = 2 * log_writer.MAX_LINES
    for number in range(lines):
        log.info("%d %s", number, "x" * 1_000)
    log.handlers[0].flush()  # gives up
    told = read_until(pipe[0], b"\n")
    reader = threading.Thread(target=lambda: read_until(pipe[0], b"the last one\n"))
    reader.start()
    while log.handlers[0]._lines.unfinished_tasks:
        time.sleep(0.001)
    log.info("the last one")
    reader.join(10)

    assert told.startswith(b"0 xxx")
    assert not reader.is_alive()


def test_what_was_dropped_is_told(pipe, log, monkeypatch):
    monkeypatch.setattr(log.handlers[0]._lines, "maxsize", 1)
    full = b"x" * 4_096
    os.set_blocking(pipe[1], False)
    size = 0
    try:
        while True:
            size += os.write(pipe[1], full)
    except BlockingIOError:
        os.set_blocking(pipe[1], True)
    log.info("first")
    while log.handlers[0]._lines.qsize():
        time.sleep(0.001)  # until it is being written
    for number in range(4):
        log.info("%d", number)
    os.read(pipe[0], size)

    said = read_until(pipe[0], b"0\n")
    assert said == b"first\n3 lines of this log were dropped: nobody read it\n0\n"


def test_a_reader_that_left_ends_nothing(log, pipe):
    elsewhere = os.open(os.devnull, os.O_RDONLY)  # cannot be written to
    writer = LogWriter(elsewhere)
    found = logging.Logger("other")
    found.addHandler(writer)
    found.info("lost")
    writer.flush()
    os.close(elsewhere)

    assert not writer._lines.unfinished_tasks


def test_the_last_lines_of_a_process_are_not_lost():
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM.format(lines=500)],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip

    assert [int(line.split()[4]) for line in done.stderr.splitlines()] == list(range(500))


def test_a_process_ends_though_nobody_reads_its_log():
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM.format(lines=2_000)], stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.stderr.close()
