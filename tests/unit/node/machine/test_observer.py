"""The machine as a node tells of it: never waited for, and told again when it changed."""

import asyncio
import logging
import threading

import pytest

from node.config import Config
from node.listeners import USUAL_PORTS
from node.machine.gpu import seen
from node.machine.gpus import Gpus
from node.machine.observer import READ_SECONDS, SCAN_SECONDS, Observer, _own_ports
from node.machine.scan import Found
from node.machine.system import Reading
from node.state import Contribution, Gpu, GpuMetrics, ModelFile

A, B = ModelFile("/m/a.gguf", 1), ModelFile("/m/b.gguf", 2)


class Script:
    """An observer whose readings and finds a test says, and whose sleeps a test ends."""

    def __init__(self, reading=None, found=None, gpus=(), **inventory):
        self.reading = reading or Reading(0.5, 7, True, 40.0)
        self.found = found or Found()
        self.gpus = list(gpus)
        self.changes = 0
        self.sleeping = []
        self.slept = asyncio.Event()
        settings = Config.model_validate({"node": {"host_id": "h"}, "inventory": inventory})
        self.observer = Observer(
            settings,
            Gpus({"nvidia": lambda: self.gpus}),
            lambda: self.reading,
            lambda: self.found,
            self.sleep,
            now=lambda: 0.0,
        )
        self.task = None

    def changed(self):
        self.changes += 1

    async def sleep(self, seconds):
        future = asyncio.get_running_loop().create_future()
        self.sleeping.append((seconds, future))
        self.slept.set()
        await future

    async def tick(self):
        """Let everything be looked at once more; return for how long it sleeps then."""
        count = len(self.sleeping) or (2 if self.observer._scans else 1)
        if self.task is None:
            self.task = asyncio.ensure_future(self.observer.run(self.changed))
        ended, self.sleeping = self.sleeping, []
        for _, future in ended:
            future.set_result(None)
        while len(self.sleeping) < count:
            self.slept.clear()
            await self.slept.wait()
        return sorted(seconds for seconds, _ in self.sleeping)


@pytest.fixture
async def play(anyio_backend):
    """`play(...)`: a script that runs until the test ends, looked once."""
    scripts = []

    async def start(*arguments, **keywords):
        scripts.append(Script(*arguments, **keywords))
        await scripts[-1].tick()
        return scripts[-1]

    yield start
    for script in scripts:
        script.task.cancel()
    await asyncio.gather(*(script.task for script in scripts), return_exceptions=True)


@pytest.mark.anyio
async def test_tells_what_was_read_last(play):
    gpu = seen("G", "RTX", "nvidia", 100, 50, 10, 60.0)
    script = await play(gpus=[gpu])
    observer = script.observer

    assert observer.host.gpus == (Gpu("G", "RTX", "nvidia", 100),)
    assert observer.metrics.gpus == (GpuMetrics("G", 0.5, 10, 60.0),)
    assert observer.metrics.cpu_utilization == 0.5
    assert observer.metrics.on_ac_power is True
    assert observer.machine.model_file_count == 0
    assert observer.forbidden == ""

    script.reading = Reading()
    assert await script.tick() == [READ_SECONDS]
    assert observer.metrics.cpu_utilization is None
    assert script.changes == 1  # the machine was told once; how busy it is goes with any beat


@pytest.mark.anyio
async def test_what_is_declared_counts():
    host = Script(
        cpu_threads=3,
        ram_gb=2.5,
        idle_only=True,
        ac_power_only=True,
        thermal_ceiling_c=80,
        max_contribution_ram_gb=12.5,
        workload_classes=["background"],
        allowed_model_families=["qwen3"],
    ).observer.host

    assert (host.cpu_threads, host.memory_bytes) == (3, 2_500_000_000)
    assert host.contribution == Contribution(True, True, 80.0, 12_500_000_000)
    assert (host.workload_classes, host.allowed_model_families) == (("background",), ("qwen3",))


@pytest.mark.anyio
async def test_a_change_is_told_with_a_higher_revision_and_nothing_else_is(play):
    script = await play(found=Found((A,), 1), model_roots=["/m"])
    observer = script.observer
    first = observer.machine
    assert (first.model_files, first.model_file_count, first.revision) == ((A,), 1, 1)

    assert await script.tick() == [READ_SECONDS, SCAN_SECONDS]
    assert observer.machine is first

    script.found = Found((A, B), 2)
    changes = script.changes
    await script.tick()
    assert (observer.machine.model_files, observer.machine.revision) == ((A, B), 2)
    assert script.changes == changes + 1


@pytest.mark.anyio
async def test_headers_that_are_left_are_read_soon(play):
    script = await play(found=Found((A,), 1, whole=False), model_roots=["/m"])

    assert await script.tick() == [0.0, READ_SECONDS]


@pytest.mark.anyio
async def test_its_owner_takes_it_back_and_lends_it_again(play, caplog):
    caplog.set_level(logging.INFO)
    script = await play(ac_power_only=True, thermal_ceiling_c=85)
    observer = script.observer
    assert observer.forbidden == ""
    before = script.changes

    script.reading = Reading(on_ac_power=False, temperature_celsius=40.0)
    await script.tick()
    assert observer.forbidden == "on battery; ac_power_only"
    assert script.changes == before + 1

    script.reading = Reading(on_ac_power=True, temperature_celsius=40.0)
    await script.tick()
    assert (observer.forbidden, script.changes) == ("", before + 2)
    assert [one.message for one in caplog.records] == [
        "this machine is lent",
        "this machine is not lent: on battery; ac_power_only",
        "this machine is lent",
    ]


def test_what_its_owner_bounds_is_not_lent_before_it_was_looked_at():
    """A driver may take longer to load than the node waits before it registers."""
    assert Script().observer.forbidden == ""
    for bounds in ({"idle_only": True}, {"ac_power_only": True}, {"thermal_ceiling_c": 85}):
        assert Script(**bounds).observer.forbidden == "not looked at yet"


@pytest.mark.anyio
async def test_a_hot_graphics_processor_counts_as_well(play):
    script = await play(gpus=[seen("G", "", "nvidia", 0, celsius=91.0)], thermal_ceiling_c=85)

    assert script.observer.forbidden == "hotter than 85 °C; thermal_ceiling_c"


@pytest.mark.anyio
async def test_what_is_wrong_is_told_and_logged_once(play, caplog):
    script = await play(
        Reading(),
        Found(problems=("/m/x: permission denied",)),
        model_roots=["/m"],
        ac_power_only=True,
    )
    problems = (
        "ac_power_only: no battery is found, so that it forbids nothing",
        "/m/x: permission denied",
    )
    assert script.observer.machine.problems == problems

    await script.tick()
    script.found = Found()
    await script.tick()
    script.found = Found(problems=problems[1:])
    await script.tick()
    assert script.observer.machine.problems == problems
    assert [one.message for one in caplog.records] == list(problems)


@pytest.mark.anyio
async def test_a_graphics_processor_found_late_is_told_at_once(play):
    script = await play()
    script.gpus = [seen("G", "", "nvidia", 1)]
    await script.tick()

    assert script.changes == 2
    assert len(script.observer.host.gpus) == 1


@pytest.mark.anyio
async def test_sensors_and_disks_that_hang_hold_up_nothing(monkeypatch):
    free = threading.Event()
    monkeypatch.setattr("node.machine.observer.ASK_SECONDS", 0.05)
    monkeypatch.setattr("node.machine.observer.SCAN_PATIENCE_SECONDS", 0.05)
    observer = Observer(
        Config.model_validate({"inventory": {"model_roots": ["/m"]}}),
        Gpus({"nvidia": lambda: free.wait(30) and []}, patience=0.05),
        lambda: free.wait(30) and Reading(),
        lambda: free.wait(30) and Found(),
    )
    running = asyncio.ensure_future(observer.run(lambda: None))
    await observer.first_look(30.0, with_files=True)

    assert sorted(observer.machine.problems) == [
        "a sensor of this machine does not answer",
        "gpus: the driver of nvidia does not answer",
        "model_roots: a disk does not answer",
    ]
    free.set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("settings", "ports"),
    [
        ({}, set(USUAL_PORTS)),
        ({"detect_ports": [7]}, {7}),
        ({"services": [{"service_id": "llm", "endpoint": "http://localhost:9"}]}, {9}),
        ({"services": [{"service_id": "llm", "endpoint": "http://192.0.2.7:9"}]}, set()),
    ],
    ids=["found", "detected", "declared", "elsewhere"],
)
def test_load_of_the_servers_that_it_offers_is_no_use_by_others(settings, ports):
    """Else a server found on its port would be lent only while nobody asks it."""
    assert _own_ports(Config.model_validate(settings)) == ports


@pytest.mark.anyio
async def test_this_machine_is_looked_at():
    observer = Observer(Config.model_validate({"inventory": {"idle_only": True}}))
    running = asyncio.ensure_future(observer.run(lambda: None))
    await observer.first_look(30.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert observer.host.cpu_threads > 0
    assert observer.metrics.memory_available_bytes > 0
    assert observer.machine is not None


@pytest.mark.anyio
async def test_sensors_drivers_and_disks_that_break_end_nothing():
    def broken():
        raise ValueError("nonsense")

    observer = Observer(
        Config.model_validate({"inventory": {"model_roots": ["/m"]}}),
        Gpus({"amd": broken}),
        broken,
        broken,
    )
    running = asyncio.ensure_future(observer.run(lambda: None))
    await observer.first_look(30.0, with_files=True)

    assert len(observer.machine.problems) == 3
    assert all("breaks: ValueError('nonsense')" in one for one in observer.machine.problems)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
