"""Samples of benchmarks as messages, and back."""

from typing import Any, cast

from geniehive.v1 import benchmark_service_pb2 as pb

from control.api.message_values import plain
from control.benchmarks.admission import admitted, refusal
from control.benchmarks.samples import Sample


def samples_of(request: pb.IngestBenchmarkSamplesRequest, now: float) -> list[Sample]:
    """Return the samples that a request brings; 10,000 take half a second.

    now: seconds since 1970.

    Raises:
        InvalidValue: names the first sample and field that is refused, and why.
    """
    return admitted([_sample(place, one) for place, one in enumerate(request.samples)], now)


def sample_message(sample: Sample, *, known: bool, weight: float) -> pb.BenchmarkSample:
    """Return a sample as a message. known: whether its service is registered."""
    message = pb.BenchmarkSample(
        benchmark_id=sample.benchmark_id,
        service_id=sample.service_id,
        asset_id=sample.asset_id,
        workload=sample.workload,
        asset_digest=sample.digest,
        service_known=known,
        weight=weight,
    )
    message.observed_time.FromMicroseconds(round(sample.observed_at * 1e6))
    message.results.update(cast(Any, sample.results))
    return message


def _sample(place: int, message: pb.BenchmarkSample) -> Sample:
    if not message.HasField("observed_time"):
        raise refusal(place, "observed_time", "is missing")
    observed = message.observed_time
    return Sample(
        message.benchmark_id,
        message.service_id,
        message.asset_id,
        message.workload,
        observed.seconds + observed.nanos / 1e9,
        plain(message.results, number=float),
        message.asset_digest,
    )
