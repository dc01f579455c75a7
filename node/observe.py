"""What the machine is and how busy it is, by its own operating system."""

import psutil

from node.config import Config
from node.state import Host, Metrics


def machine(config: Config) -> Host:
    """Return the host: what is declared, else what is measured."""
    declared = config.inventory
    threads = declared.cpu_threads or psutil.cpu_count() or 0
    memory = int(declared.ram_gb * 1e9) if declared.ram_gb else psutil.virtual_memory().total
    return Host(
        host_id=config.node.host_id,
        display_name=config.node.display_name,
        address=config.node.address,
        labels=config.node.labels,
        capabilities=declared.capabilities,
        cpu_threads=threads,
        memory_bytes=memory,
        trust_tier=declared.trust_tier,
        device_class=declared.device_class,
        workload_classes=declared.workload_classes,
        allowed_model_families=declared.allowed_model_families,
    )


def metrics() -> Metrics:
    """Return how busy the machine is, since the last call."""
    # interval=None never blocks; the first answer is 0.0, all others are since the one before.
    return Metrics(
        cpu_utilization=min(psutil.cpu_percent(interval=None) / 100, 1.0),
        memory_available_bytes=psutil.virtual_memory().available,
    )
