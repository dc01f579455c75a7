"""What benchmarks and probes found as JSON: the same over HTTP and from the command."""

from geniehive.v1 import benchmark_service_pb2 as benchmarks
from geniehive.v1 import discovery_service_pb2 as pb

from control.api.cluster_documents import HEALTHS
from control.api.message_values import milliseconds, moment, ordered, plain, told
from control.api.route_documents import Document


def benchmark(message: benchmarks.BenchmarkSample) -> Document:
    """Return what one benchmark run found, and how much it counts."""
    return {
        **told_benchmark(message),
        "asset_digest": message.asset_digest or None,
        "service_known": message.service_known,
        "weight": message.weight,
    }


def told_benchmark(message: benchmarks.BenchmarkSample) -> Document:
    """Return what one benchmark run found, as it was told."""
    return {
        "benchmark_id": message.benchmark_id,
        "service_id": message.service_id,
        "asset_id": message.asset_id or None,
        "workload": message.workload,
        "observed_at": moment(message, "observed_time"),
        "results": plain(message.results),
    }


def health_sample(message: pb.HealthSample) -> Document:
    """Return what one probe found."""
    return {
        "sample_id": message.sample_id,
        "target_type": "service",
        "target_id": message.service_id,
        "observed_at": moment(message, "observed_time"),
        "status": HEALTHS.get(message.health, "unknown"),
        "checks": ordered(message.checks),
        "metrics": {
            "queue_depth": told(message, "queue_depth"),
            "in_flight": message.in_flight,
            "latency_ms": milliseconds(message, "latency"),
        },
        "detail": message.detail or None,
    }
