"""What nodes measure and find on their machines, as people see it."""

import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory

from cli import condition, detailed, listed, status
from tests.unit.cli.clusters import NOW, THREE_HOSTS, host
from tests.unit.cli.clusters import status as service_status

GB = 1_000_000_000


def workstation(state=inventory.HOST_STATE_ONLINE):
    made = host("tower", state)
    made.resources.cpu_threads, made.resources.memory_bytes = 16, 64 * GB
    for number in (0, 1):
        made.resources.gpus.add(
            gpu_id=f"GPU-{number}", name="RTX 4090", vendor="nvidia", memory_bytes=24 * GB
        )
        made.metrics.gpus.add(gpu_id=f"GPU-{number}", utilization=0.5, memory_used_bytes=9 * GB)
    made.metrics.gpus[0].temperature_celsius = 64.4
    made.metrics.temperature_celsius = 71.0
    made.metrics.on_ac_power = False
    made.contribution.idle_only = made.contribution.ac_power_only = True
    made.contribution.thermal_ceiling_celsius = 85.0
    made.contribution.max_memory_bytes = 12 * GB
    return made


def measured():
    one = service_status("tower/vllm", "+qwen3:14b", concurrency=4, queue=1)
    one.service.engine, one.service.engine_version = "vllm", "0.14.2"
    asset = one.service.assets[0]
    asset.capabilities.extend(["tools", "vision"])
    asset.size_bytes = 9 * GB
    one.latency_p50.FromMilliseconds(420)
    seen = one.service.observation
    seen.first_token_p50.FromMilliseconds(420)
    seen.first_token_p95.FromMilliseconds(1_900)
    seen.kv_cache_utilization = 0.31
    seen.vram_used_bytes = 18 * GB
    seen.prompt_tokens_per_second = 812.4
    return one


def test_memory_is_that_of_graphics_processors_where_they_have_their_own():
    made = workstation()

    assert (condition.free_memory(made), condition.free_ram(made)) == ("30.0 GB", "9.1 GB")


def test_processors_that_share_the_memory_of_the_machine_have_none_of_their_own():
    made = host("mac")
    made.resources.gpus.add(gpu_id="0", vendor="apple", memory_bytes=64 * GB)

    assert (condition.free_memory(made), condition.free_vram(made)) == ("9.1 GB", "-")


@pytest.mark.parametrize("state", [inventory.HOST_STATE_LOST, inventory.HOST_STATE_RETURNING])
def test_of_a_silent_host_free_memory_is_unknown(state):
    assert condition.free_memory(workstation(state)) == "?"


def test_free_memory_is_unknown_when_one_processor_does_not_tell_it():
    made = workstation()
    made.metrics.gpus[1].ClearField("memory_used_bytes")

    assert condition.free_memory(made) == "?"


def test_a_processor_that_uses_more_than_it_has_leaves_nothing():
    made = workstation()
    made.metrics.gpus[1].memory_used_bytes = 25 * GB

    assert condition.free_memory(made) == "15.0 GB"


def test_hosts_with_graphics_processors():
    shown = listed.hosts([host("attic"), workstation()], NOW, None, color=False).splitlines()

    assert [line.split("SEEN")[-1] for line in shown[:1]] == ["  GPU         FREE VRAM"]
    assert shown[1].endswith("1s  -                   -")
    assert shown[2].endswith("1s  2 RTX 4090    30.0 GB")


def test_services_that_tell_more():
    shown = listed.services(
        [THREE_HOSTS.services[0], measured()], {"tower": workstation()}, NOW, None, color=False
    )
    first, other, vllm = shown.splitlines()

    assert first.endswith("LATENCY  TOK/S    P95   KV")
    assert other.endswith("-      -      -    ?")
    assert vllm.endswith("420 ms      -  1.9 s  31%")
    assert "  vllm 0.14.2  " in vllm


def test_a_machine_in_detail():
    found = pb.GetHostInventoryResponse(host=workstation())
    found.machine.model_files.add(path="/m/a.gguf", size_bytes=5 * GB)
    found.machine.model_file_count = 3
    found.machine.problems.extend(f"/m/{number}: permission denied" for number in range(7))

    assert detailed.host(found, NOW, None).splitlines()[2:-1] == [
        "  machine    16 cores, 64.0 GB, 9.1 GB free, 71 °C, on battery",
        "  gpu        RTX 4090, 24.0 GB, 15.0 GB free, 50% busy, 64 °C",
        "  gpu        RTX 4090, 24.0 GB, 15.0 GB free, 50% busy",
        "  lent when  nobody else uses it, on mains, at most 85 °C, for models of at most 12.0 GB",
        "  weights    3 files of GGUF, more than 5.0 GB",
        *[f"  problem    /m/{number}: permission denied" for number in range(5)],
        "  problem    and 2 more: geniehive hosts NAME --json",
    ]


def test_what_a_silent_machine_told_last_is_not_how_it_is():
    found = pb.GetHostInventoryResponse(host=workstation(inventory.HOST_STATE_LOST))
    lines = detailed.host(found, NOW, None).splitlines()

    assert "  machine    16 cores, 64.0 GB, ? free" in lines
    assert lines.count("  gpu        RTX 4090, 24.0 GB, ? free") == 2


def test_a_service_that_tells_more_in_detail():
    lines = detailed.service(measured(), workstation(), NOW, None).splitlines()

    assert "  engine        vllm 0.14.2" in lines
    assert (
        "  memory        18.0 GB of graphics processors, 31% of that for contexts in use" in lines
    )
    assert "  speed         420 ms to an answer (p95 1.9 s), 812 prompt tokens/s" in lines
    assert lines[-1] == ("qwen3:14b  chat       yes           ?  9.0 GB  -       tools, vision  -")


def test_why_its_owner_does_not_lend_a_machine_is_said():
    paused = service_status(
        "tower/vllm",
        "m",
        routable=False,
        availability=inventory.AVAILABILITY_PAUSED_BY_USER,
        detail="on battery; ac_power_only",
    )
    assert condition.state(paused, workstation(), NOW) == (
        "paused by user: on battery; ac_power_only"
    )

    paused.service.observation.availability = inventory.AVAILABILITY_BUSY
    paused.routable = True
    assert condition.state(paused, workstation(), NOW) == "busy"


def test_status_tells_programs_what_nodes_measure():
    cluster = THREE_HOSTS.__class__(
        health=THREE_HOSTS.health, hosts=[workstation()], services=[measured()]
    )
    [told] = status.document(cluster)["hosts"]
    [served] = told["services"]

    assert told["gpus"][0]["vram_gb"] == 24.0
    assert told["gpu_metrics"][1] == {
        "gpu_id": "GPU-1",
        "utilization": 0.5,
        "vram_used_bytes": 9 * GB,
        "temperature_c": None,
    }
    assert served["engine_version"] == "0.14.2"
    assert (served["kv_cache_utilization"], served["vram_used_bytes"]) == (0.31, 18 * GB)
    assert served["p95_latency_ms"] == 1_900
