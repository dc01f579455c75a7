from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory

from control.api import cluster_documents, machine_documents

# What clients of the first GenieHive read.
POLICY = {
    "workload_classes": [],
    "allowed_model_families": [],
    "max_ram_gb": None,
    "idle_only": False,
    "ac_power_only": False,
    "thermal_ceiling_c": None,
}


def test_what_is_unknown_of_a_machine_is_null():
    found = machine_documents.resources(inventory.Host())
    busy = machine_documents.metrics(inventory.HostMetrics(gpus=[inventory.GpuMetrics(gpu_id="0")]))

    assert found == {
        "cpu_threads": None,
        "ram_gb": None,
        "gpus": [],
        "trust_tier": None,
        "device_class": None,
        "contribution_policy": POLICY,
    }
    assert busy["on_ac_power"] is busy["temperature_c"] is None
    assert busy["gpus"] == [
        {"gpu_id": "0", "utilization": None, "vram_used_bytes": None, "temperature_c": None}
    ]


def test_what_its_owner_lends_is_told():
    host = inventory.Host(
        contribution=inventory.ContributionPolicy(
            idle_only=True, thermal_ceiling_celsius=0.0, max_memory_bytes=12_500_000_000
        )
    )

    assert machine_documents.resources(host)["contribution_policy"] == POLICY | {
        "idle_only": True,
        "thermal_ceiling_c": 0.0,
        "max_ram_gb": 12.5,
    }


def test_files_with_weights_stand_among_the_resources_of_a_report():
    report = pb.GetHostInventoryResponse()
    assert cluster_documents.report(report)["resources"]["discovered_models"] is None

    report.machine.model_files.add(path="/m/a.gguf", size_bytes=10, architecture="qwen3")
    report.machine.model_files.add(path="C:\\m\\b.gguf", size_bytes=0)
    report.machine.model_file_count = 7
    report.machine.problems.append("/n: permission denied")
    found = cluster_documents.report(report)["resources"]

    assert [(one["path"], one["name"]) for one in found["discovered_models"]] == [
        ("/m/a.gguf", "a.gguf"),
        ("C:\\m\\b.gguf", "b.gguf"),
    ]
    assert found["discovered_models"][0] == {
        "path": "/m/a.gguf",
        "name": "a.gguf",
        "size_bytes": 10,
        "model_name": None,
        "architecture": "qwen3",
        "quantization": None,
        "context_size": None,
        "parameter_count": None,
    }
    assert found["discovered_model_count"] == 7
    assert found["problems"] == ["/n: permission denied"]
