import os
import sys
import time

import pytest

from bench.actor import Actor
from bench.processes import family, usage
from tests.processes import wait_until


@pytest.fixture
def busy(tmp_path):
    command = [sys.executable, "-c", "while True: pass"]
    actor = Actor(command, tmp_path / "log", os.sched_getaffinity(0))
    yield actor
    actor.stop()
    assert not actor.alive


def test_a_frozen_actor_does_nothing(busy):
    busy.freeze()
    wait_until(busy.drain, 30, "it came to rest")
    before = usage([busy.pid]).cpu_ns
    time.sleep(0.05)

    assert usage([busy.pid]).cpu_ns == before


def test_an_actor_goes_on_when_it_may(busy):
    busy.freeze()
    busy.thaw()
    before = usage([busy.pid]).cpu_ns

    wait_until(lambda: usage([busy.pid]).cpu_ns > before, 30, "it works")


def test_a_frozen_actor_can_be_ended_with_its_children(tmp_path):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    actor = Actor([sys.executable, "-c", code], tmp_path / "log", os.sched_getaffinity(0))
    wait_until(lambda: len(family(actor.pid)) == 2, 30, "the child runs")
    pids = family(actor.pid)
    actor.freeze()

    actor.stop()

    for pid in pids:
        wait_until(lambda pid=pid: _ended(pid), 30, "it ended")


def _ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_last_words_of_an_actor_are_kept(tmp_path):
    code = "import sys; sys.exit('no such thing')"
    actor = Actor([sys.executable, "-c", code], tmp_path / "log", os.sched_getaffinity(0))
    wait_until(lambda: not actor.alive, 30, "it ended")

    assert actor.last_words() == "no such thing"
    actor.stop()
