import pytest
from geniehive.v1 import inventory_pb2 as pb
from geniehive.v1 import registry_service_pb2 as registry_pb

from control import machine_messages
from control.inventory import UNLIMITED, UNMEASURED, Contribution, GpuMetrics, Machine
from control.machines import MAX_FILES, MAX_PROBLEMS

MACHINE = pb.MachineInventory(
    model_files=[
        pb.ModelFile(
            path="/m/a.gguf",
            size_bytes=5_000,
            name="Qwen3 8B",
            architecture="qwen3",
            quantization="Q4_K_M",
            context_tokens=40_960,
            parameter_count=8_190_735_360,
        ),
        pb.ModelFile(path="/m/b.gguf", size_bytes=1),
    ],
    model_file_count=7,
    problems=["/n: permission denied"],
)


def test_what_a_machine_has_survives_the_way_in_and_out():
    message = pb.HostResources(
        cpu_threads=8,
        memory_bytes=64 << 30,
        gpus=[
            pb.Gpu(gpu_id="GPU-1", name="RTX 4090", vendor="nvidia", memory_bytes=24 << 30),
            pb.Gpu(gpu_id="other"),
        ],
    )

    assert machine_messages.resources_message(machine_messages.resources(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        pb.HostMetrics(),
        pb.HostMetrics(
            cpu_utilization=0.0,
            memory_available_bytes=0,
            on_ac_power=False,
            temperature_celsius=-1.5,
            gpus=[
                pb.GpuMetrics(
                    gpu_id="GPU-1", utilization=0.0, memory_used_bytes=0, temperature_celsius=0.0
                ),
                pb.GpuMetrics(gpu_id="other"),
            ],
        ),
    ],
    ids=["nothing", "zeros"],
)
def test_how_busy_a_machine_is_survives_and_zero_is_not_unknown(message):
    assert machine_messages.metrics_message(machine_messages.metrics(message)) == message


def test_what_is_not_told_is_none():
    assert machine_messages.metrics(pb.HostMetrics()) == UNMEASURED
    told = machine_messages.metrics(pb.HostMetrics(gpus=[pb.GpuMetrics(gpu_id="0")]))
    assert told.gpus == (GpuMetrics("0", None, None, None),)


@pytest.mark.parametrize(
    "found", [UNLIMITED, Contribution(True, True, 0.0, 0), Contribution(False, False, 85.0, None)]
)
def test_what_its_owner_lends_survives_the_way_out_and_in(found):
    message = pb.Host(contribution=machine_messages.contribution_message(found))

    assert machine_messages.contribution(message) == found


def test_an_older_node_sets_no_limit():
    assert machine_messages.contribution(pb.Host()) == UNLIMITED


@pytest.mark.parametrize("kind", [registry_pb.RegisterHostRequest, registry_pb.Heartbeat])
def test_what_else_is_on_a_machine_survives_and_may_be_untold(kind):
    assert machine_messages.machine(kind()) is None
    assert machine_messages.machine(kind(machine=pb.MachineInventory())) == Machine()

    found = machine_messages.machine(kind(machine=MACHINE))
    assert machine_messages.machine_message(found) == MACHINE


def test_of_a_flood_of_files_as_many_are_looked_at_as_are_kept():
    flood = [pb.ModelFile(path=f"/{n}") for n in range(MAX_FILES + 5)]
    problems = ["x"] * (MAX_PROBLEMS + 5)
    told = registry_pb.Heartbeat(machine=pb.MachineInventory(model_files=flood, problems=problems))
    found = machine_messages.machine(told)

    assert (len(found.files), found.file_count) == (MAX_FILES, MAX_FILES + 5)
    assert len(found.problems) == MAX_PROBLEMS
