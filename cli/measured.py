"""What gateways measured of a service, for people and for programs."""

from collections.abc import Mapping, Sequence
from datetime import UTC

from geniehive.v1 import discovery_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration

TITLES = ("TTFT", "TOK/S")
NOTHING = ("-", "-")


def cells(status: pb.ServiceStatus) -> Sequence[str]:
    """Return the median time to the first token, and tokens a second of one stream."""
    if not status.HasField("measured"):
        return NOTHING
    first, speed = _first(status.measured, "first_byte_p50"), _speed(status.measured)
    return (
        "-" if first is None else f"{first:.0f}s" if first >= 10 else f"{first:.2f}s",
        "-" if speed is None else f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}",
    )


def document(status: pb.ServiceStatus) -> Mapping[str, object] | None:
    """Return the same and more for programs; None when nothing was measured."""
    if not status.HasField("measured"):
        return None
    told = status.measured
    return {
        "since": told.start_time.ToDatetime(UTC).isoformat(),
        "requests": told.request_count,
        "abandoned": told.abandoned_count,
        "errors": dict(told.error_counts),
        "prompt_tokens": told.prompt_tokens,
        "completion_tokens": told.completion_tokens,
        "first_byte_p50_s": _first(told, "first_byte_p50"),
        "first_byte_p95_s": _first(told, "first_byte_p95"),
        "tokens_per_second": _speed(told),
    }


def _first(told: pb.Measured, field: str) -> float | None:
    if not told.HasField(field):
        return None
    found: Duration = getattr(told, field)
    return found.ToTimedelta().total_seconds()


def _speed(told: pb.Measured) -> float | None:
    return told.tokens_per_second if told.HasField("tokens_per_second") else None
