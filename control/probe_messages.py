"""What probes found, as messages. Copies; judges nothing."""

from geniehive.v1 import discovery_service_pb2 as pb

from control.messages import HEALTH_VALUES
from control.probing.records import Record
from control.probing.samples import HealthSample

_DIGITS = 16  # of the number of a sample: milliseconds since 1970, for a long time to come
_LAST = 10**_DIGITS - 1


def probe_message(record: Record) -> pb.Probe:
    """Return how a service stands by its probes."""
    message = pb.Probe(
        health=HEALTH_VALUES[record.health],
        detail=record.last.finding.detail,
    )
    message.probe_time.FromMilliseconds(int(record.last.observed_time * 1000))
    return message


def newest_first(service_id: str, record: Record) -> dict[str, pb.HealthSample]:
    """Return the samples of a service by where they stand in a list of them, in that order."""
    return {
        f"{_LAST - number:0{_DIGITS}}": _sample_message(service_id, number, sample)
        for number, sample in reversed(record.samples)
    }


def _sample_message(service_id: str, number: int, sample: HealthSample) -> pb.HealthSample:
    found = sample.finding
    message = pb.HealthSample(
        sample_id=f"{service_id}@{number}",
        service_id=service_id,
        health=HEALTH_VALUES[found.health],
        checks=found.checks,
        detail=found.detail,
        in_flight=sample.in_flight,
        queue_depth=sample.queue_depth,
    )
    message.observed_time.FromMilliseconds(int(sample.observed_time * 1000))
    if sample.latency is not None:
        message.latency.FromMicroseconds(int(sample.latency * 1e6))
    return message
