"""Machines from and to messages: what they have, how busy they are, what else is on them.

Copies, and judges nothing; of a flood it looks at as much as is kept.
"""

from geniehive.v1 import inventory_pb2 as pb
from geniehive.v1 import registry_service_pb2 as registry_pb

from control.inventory import (
    UNLIMITED,
    Contribution,
    Gpu,
    GpuMetrics,
    Machine,
    Metrics,
    ModelFile,
    Resources,
)
from control.machines import MAX_FILES, MAX_GPUS, MAX_PROBLEMS


def resources(message: pb.HostResources) -> Resources:
    """Return what a machine has."""
    return Resources(
        message.cpu_threads,
        message.memory_bytes,
        tuple(
            Gpu(one.gpu_id, one.name, one.vendor, one.memory_bytes)
            for one in message.gpus[:MAX_GPUS]
        ),
    )


def resources_message(found: Resources) -> pb.HostResources:
    """Return the same as a message."""
    message = pb.HostResources(cpu_threads=found.cpu_threads, memory_bytes=found.memory_bytes)
    for one in found.gpus:
        message.gpus.add(
            gpu_id=one.gpu_id, name=one.name, vendor=one.vendor, memory_bytes=one.memory_bytes
        )
    return message


def metrics(message: pb.HostMetrics) -> Metrics:
    """Return how busy a machine is."""
    has = message.HasField
    return Metrics(
        message.cpu_utilization if has("cpu_utilization") else None,
        message.memory_available_bytes if has("memory_available_bytes") else None,
        tuple(map(_gpu_metrics, message.gpus[:MAX_GPUS])),
        message.on_ac_power if has("on_ac_power") else None,
        message.temperature_celsius if has("temperature_celsius") else None,
    )


def _gpu_metrics(message: pb.GpuMetrics) -> GpuMetrics:
    has = message.HasField
    return GpuMetrics(
        message.gpu_id,
        message.utilization if has("utilization") else None,
        message.memory_used_bytes if has("memory_used_bytes") else None,
        message.temperature_celsius if has("temperature_celsius") else None,
    )


def metrics_message(seen: Metrics) -> pb.HostMetrics:
    """Return the same as a message."""
    message = pb.HostMetrics(
        cpu_utilization=seen.cpu_utilization,
        memory_available_bytes=seen.memory_available_bytes,
        on_ac_power=seen.on_ac_power,
        temperature_celsius=seen.temperature_celsius,
    )
    for one in seen.gpus:
        message.gpus.add(
            gpu_id=one.gpu_id,
            utilization=one.utilization,
            memory_used_bytes=one.memory_used_bytes,
            temperature_celsius=one.temperature_celsius,
        )
    return message


def contribution(message: pb.Host) -> Contribution:
    """Return when and how far a machine is lent; a node that tells nothing sets no limit."""
    if not message.HasField("contribution"):
        return UNLIMITED
    told = message.contribution
    ceiling = told.thermal_ceiling_celsius if told.HasField("thermal_ceiling_celsius") else None
    most = told.max_memory_bytes if told.HasField("max_memory_bytes") else None
    return Contribution(told.idle_only, told.ac_power_only, ceiling, most)


def contribution_message(found: Contribution) -> pb.ContributionPolicy:
    """Return the same as a message."""
    return pb.ContributionPolicy(
        idle_only=found.idle_only,
        ac_power_only=found.ac_power_only,
        thermal_ceiling_celsius=found.thermal_ceiling_celsius,
        max_memory_bytes=found.max_memory_bytes,
    )


def machine(message: registry_pb.RegisterHostRequest | registry_pb.Heartbeat) -> Machine | None:
    """Return what else was found on a machine; None when nothing is told."""
    if not message.HasField("machine"):
        return None
    told = message.machine
    files = tuple(
        ModelFile(
            one.path,
            one.size_bytes,
            one.name,
            one.architecture,
            one.quantization,
            one.context_tokens,
            one.parameter_count,
        )
        for one in told.model_files[:MAX_FILES]
    )
    count = max(told.model_file_count, len(told.model_files))
    return Machine(files, count, tuple(told.problems[:MAX_PROBLEMS]))


def machine_message(found: Machine) -> pb.MachineInventory:
    """Return the same as a message."""
    message = pb.MachineInventory(model_file_count=found.file_count, problems=found.problems)
    for one in found.files:
        message.model_files.add(
            path=one.path,
            size_bytes=one.size_bytes,
            name=one.name,
            architecture=one.architecture,
            quantization=one.quantization,
            context_tokens=one.context_tokens,
            parameter_count=one.parameter_count,
        )
    return message
