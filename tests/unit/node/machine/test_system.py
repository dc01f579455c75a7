"""What the operating system tells, and who uses the machine."""

import ctypes
import math
import os
from collections import namedtuple
from types import SimpleNamespace

import pytest

from node.machine import use
from node.machine.system import System, hottest, share, times
from node.machine.use import Process, Use

Linux = namedtuple("Linux", "user nice system idle iowait irq softirq steal guest guest_nice")
Windows = namedtuple("Windows", "user system idle interrupt dpc")


def test_guests_are_counted_once_and_waiting_is_no_work():
    assert times(Linux(5, 0, 3, 10, 2, 0, 0, 0, 4, 0)) == (8, 20)
    assert times(Windows(5, 3, 10, 1, 1)) == (10, 20)


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(1, 4, 0.25), (-1, 4, 0), (9, 4, 1), (1, 0, None)]
)
def test_shares(part, whole, expected):
    assert share(part, whole) == expected


def test_the_hottest_processor_counts_and_nothing_else():
    def sensor(*values):
        return [SimpleNamespace(label="", current=value) for value in values]

    told = {
        "coretemp": sensor(51.0, 63.0, 6553.5),
        "k10temp": sensor(None, math.nan, -3.0),
        "nvme": sensor(75.0),
    }
    assert hottest(told) == 63.0
    assert hottest({"nvme": sensor(75.0), "cpu_thermal": sensor(44.5)}) == 44.5
    assert hottest({}) is None


def test_this_machine_tells_something():
    system = System(Use([]))
    system.read()
    reading = system.read()

    assert reading.cpu_utilization is None or 0 <= reading.cpu_utilization <= 1
    assert reading.memory_available_bytes > 0
    assert reading.on_ac_power in (None, True, False)


def test_whoever_types_is_seen_at_the_first_reading():
    system = System(Use([], lambda: [], lambda ports: set(), lambda: 3.0))

    assert system.read().untouched_seconds == 3.0


SHELL = Process(2, 1, "bash", 10.0)
GAME = Process(3, 2, "doom", 50.0)
OLLAMA = Process(4, 1, "ollama", 5.0)
KOBOLD = Process(7, 1, "koboldcpp.exe", 3.0)
RUNNER = Process(5, 4, "python3", 100.0)
SERVER = Process(6, 2, "python3", 7.0)


def test_ours_are_engines_by_name_who_listens_and_what_they_started():
    found = use.ours([RUNNER, SHELL, GAME, OLLAMA, KOBOLD, SERVER], known={6})

    assert found == {4: 5.0, 5: 100.0, 6: 7.0, 7: 3.0}


def test_a_circle_of_parents_ends():
    assert use.ours([Process(1, 2, "ollama", 1), Process(2, 1, "b", 2)], ()) == {1: 1, 2: 2}


def test_what_engines_take_is_no_use_by_others():
    processes = [[OLLAMA], [Process(4, 1, "ollama", 9.0)], [Process(4, 1, "ollama", 9.0)]]
    looks = Use([], lambda: processes.pop(0), lambda ports: set(), lambda: 12.0)
    assert looks.look(0.0, 0.0) == use.Used(None, 12.0)

    assert looks.look(busy=5.0, total=10.0).others == pytest.approx(0.1)
    assert looks.look(busy=5.0, total=10.0).others == pytest.approx(0.3)


def test_a_process_with_the_number_of_another_takes_no_time_back():
    processes = [[Process(4, 1, "ollama", 1e6)], [Process(4, 1, "ollama", 1.0)]]
    looks = Use([], lambda: processes.pop(0), lambda ports: set(), lambda: None)
    looks.look(0.0, 0.0)

    assert looks.look(busy=5.0, total=10.0).others == 0.5


def test_running_processes_are_told():
    assert os.getpid() in {one.pid for one in use.running()}
    assert use.listening([]) == set()
    use.listening([1])
    touched = use.untouched_seconds()
    assert touched is None or touched >= 0


@pytest.mark.parametrize(
    ("tick", "last", "seconds"), [(9_000, 4_000, 5.0), (1_000, 2**32 - 1_000, 2.0)]
)
def test_windows_tells_of_keyboard_and_mouse(tick, last, seconds):
    def last_input(reference):
        reference._obj.milliseconds = last
        return 1

    windows = SimpleNamespace(
        user32=SimpleNamespace(GetLastInputInfo=last_input),
        kernel32=SimpleNamespace(GetTickCount=lambda: tick),
    )
    assert use.since_input(windows) == seconds
    windows.user32.GetLastInputInfo = lambda reference: 0
    assert use.since_input(windows) is None
    assert ctypes.sizeof(use._LastInput) == 8
