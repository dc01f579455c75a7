import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.processes import NOTHING, Usage, family, usage
from tests.processes import wait_until

PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A process with two threads and a child, as Linux shows them."""

    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    write("10/task/10/schedstat", "1500000 200 3\n")
    write("10/task/10/children", "20 ")
    write("10/task/11/schedstat", "500000 0 1\n")
    write("10/task/11/children", "")
    write("10/statm", "5000 300 100 1 0 200 0\n")
    write("20/task/20/schedstat", "70 0 1\n")
    write("20/task/20/children", "")
    write("20/statm", "900 10 5 1 0 20 0\n")
    return tmp_path


def test_a_family_is_a_process_and_what_came_of_it(proc):
    assert family(10, proc) == [10, 20]
    assert family(20, proc) == [20]


def test_threads_and_processes_add_up(proc):
    assert usage([10], proc) == Usage(2_000_000, 300 * PAGE)
    assert usage([10, 20], proc) == Usage(2_000_070, 310 * PAGE)


def test_a_process_that_ended_uses_nothing(proc):
    assert family(99, proc) == [99]
    assert usage([99], proc) == NOTHING


def test_a_real_process_is_seen_working():
    before = usage([os.getpid()])

    # The kernel counts a running thread up at its next tick.
    wait_until(lambda: usage([os.getpid()]).cpu_ns > before.cpu_ns, 30, "it works")

    assert before.rss_bytes > 1_000_000


def test_a_real_child_belongs_to_the_family():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in family(os.getpid())
        child.communicate(b"\n")
