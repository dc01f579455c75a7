"""What control knows of machines as JSON. Fields are only ever added; what is unknown is null."""

from collections.abc import Mapping

from geniehive.v1 import inventory_pb2 as inventory

from control.api.message_values import told
from control.api.route_documents import Document

GB = 1e9


def resources(message: inventory.Host) -> Document:
    """Return what a machine has, and what its owner lends of it."""
    found = message.resources
    return {
        "cpu_threads": found.cpu_threads or None,
        "ram_gb": _gigabytes(found.memory_bytes),
        "gpus": [_gpu(one) for one in found.gpus],
        "trust_tier": message.trust_tier or None,
        "device_class": message.device_class or None,
        "contribution_policy": _contribution(message),
    }


def metrics(message: inventory.HostMetrics) -> Document:
    """Return how busy a machine is."""
    return {
        "cpu_utilization": told(message, "cpu_utilization"),
        "memory_available_bytes": told(message, "memory_available_bytes"),
        "on_ac_power": told(message, "on_ac_power"),
        "temperature_c": told(message, "temperature_celsius"),
        "gpus": [_gpu_metrics(one) for one in message.gpus],
    }


def discovered(message: inventory.MachineInventory | None) -> Document:
    """Return what a node found beside what serves; None: it did not tell, or not yet."""
    if message is None:
        return dict.fromkeys(("discovered_models", "discovered_model_count", "problems"))
    return {
        "discovered_models": [_file(one) for one in message.model_files],
        "discovered_model_count": message.model_file_count,
        "problems": list(message.problems),
    }


def _contribution(message: inventory.Host) -> Document:
    policy = message.contribution
    most = policy.max_memory_bytes if policy.HasField("max_memory_bytes") else None
    return {
        "workload_classes": list(message.workload_classes),
        "allowed_model_families": list(message.allowed_model_families),
        "max_ram_gb": None if most is None else most / GB,
        "idle_only": policy.idle_only,
        "ac_power_only": policy.ac_power_only,
        "thermal_ceiling_c": told(policy, "thermal_ceiling_celsius"),
    }


def _gpu(message: inventory.Gpu) -> Document:
    return {
        "gpu_id": message.gpu_id,
        "name": message.name or None,
        "vendor": message.vendor or None,
        "vram_gb": _gigabytes(message.memory_bytes),
    }


def _gpu_metrics(message: inventory.GpuMetrics) -> Document:
    return {
        "gpu_id": message.gpu_id,
        "utilization": told(message, "utilization"),
        "vram_used_bytes": told(message, "memory_used_bytes"),
        "temperature_c": told(message, "temperature_celsius"),
    }


def _file(message: inventory.ModelFile) -> Mapping[str, object]:
    # Nodes are on all systems, and gateways know nothing of theirs.
    _, _, name = message.path.replace("\\", "/").rpartition("/")
    return {
        "path": message.path,
        "name": name,
        "size_bytes": message.size_bytes,
        "model_name": message.name or None,
        "architecture": message.architecture or None,
        "quantization": message.quantization or None,
        "context_size": message.context_tokens or None,
        "parameter_count": message.parameter_count or None,
    }


def _gigabytes(size: int) -> float | None:
    return round(size / GB, 1) or None
