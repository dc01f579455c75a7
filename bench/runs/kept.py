"""Samples on their way into control, and out of it again."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from geniehive.v1 import benchmark_service_pb2 as pb
from geniehive.v1 import benchmark_service_pb2_grpc as pb_grpc
from google.protobuf.message import DecodeError

from bench.runs.report import Document
from cli.output import USAGE, Failure
from control.api import auth
from control.api.channel import control_errors
from control.api.errors import BadRequest
from control.api.settings import SettingsError

PART, PART_BYTES = 1_000, 3 << 20  # samples a call: control takes a message of 4 MB
MAX_SAMPLE_BYTES = 1 << 20
PAGE = 1_000
LATEST = 253_402_300_799.0  # the last second of the year 9999, as timestamps go


@dataclass(frozen=True, slots=True)
class Kept:
    """What control did with samples. unknown: services that are not registered now."""

    created: int
    replaced: int
    ids: tuple[str, ...]
    unknown: tuple[str, ...]


def samples(report: Document, name: str) -> list[pb.BenchmarkSample]:
    """Return the samples of a report as control takes them. name: of the file, for messages.

    An id is made of what a sample says where it has none, so that the same report again
    changes nothing.

    Raises:
        SettingsError: a sample cannot be read; every problem of the report is told.
    """
    found, problems = [], []
    for index, one in enumerate(report["samples"]):
        place = f"samples[{index}]"
        try:
            found.append(_sample(report, one, index))
        except _Unusable as error:
            problems.append(f"{name}: {place}{error}")
        except UnicodeEncodeError:
            problems.append(f"{name}: {place}: half of a surrogate pair is no character")
    if problems:
        raise SettingsError(problems)
    return found


def ingest(
    channel: grpc.Channel,
    found: list[pb.BenchmarkSample],
    name: str,
    timeout: float,
    metadata: auth.Metadata = (),
) -> Kept:
    """Hand samples to control, some at a time; each call keeps all of its own or none.

    name: of the file that they are from, for messages. timeout: seconds a call.

    What was handed over before a failure stays, and a repeat is harmless.

    Raises:
        Failure: control finds a sample wrong; it is named.
        grpc.RpcError: control did not answer, or refused.
    """
    stub = pb_grpc.BenchmarkServiceStub(channel)
    created = replaced = 0
    ids: list[str] = []
    unknown: set[str] = set()
    start = 0
    for part in _parts(found):
        request = pb.IngestBenchmarkSamplesRequest(samples=part)
        try:
            with control_errors():
                answer = stub.IngestBenchmarkSamples(request, timeout=timeout, metadata=metadata)
        except BadRequest as error:
            counted = f", counted from {start}" if start else ""
            raise Failure(f"{name}: {error}{counted}", USAGE, error.code) from error
        start += len(part)
        created += answer.created_count
        replaced += answer.replaced_count
        ids += answer.benchmark_ids
        unknown.update(answer.unknown_service_ids)
    return Kept(created, replaced, tuple(ids), tuple(sorted(unknown)))


def read(
    channel: grpc.Channel,
    most: int,
    timeout: float,
    metadata: auth.Metadata = (),
    *,
    service_id: str = "",
    workload: str = "",
) -> list[pb.BenchmarkSample]:
    """Return the newest samples, at most so many.

    Raises:
        grpc.RpcError: control did not answer, or refused.
    """
    found: list[pb.BenchmarkSample] = []
    for page in _pages(
        pb_grpc.BenchmarkServiceStub(channel), most, timeout, metadata, service_id, workload
    ):
        found += page.samples
        if len(found) >= most:
            break
    return found[:most]


def _pages(
    stub: pb_grpc.BenchmarkServiceStub,
    most: int,
    timeout: float,
    metadata: auth.Metadata,
    service_id: str,
    workload: str,
) -> Iterator[pb.ListBenchmarkSamplesResponse]:
    token = ""
    while True:
        request = pb.ListBenchmarkSamplesRequest(
            page_size=min(most, PAGE), page_token=token, service_id=service_id, workload=workload
        )
        page = stub.ListBenchmarkSamples(request, timeout=timeout, metadata=metadata)
        yield page
        token = page.next_page_token
        if not token:
            return


def _parts(found: Sequence[pb.BenchmarkSample]) -> Iterator[list[pb.BenchmarkSample]]:
    part: list[pb.BenchmarkSample] = []
    size = 0
    for one in found:
        if len(part) == PART or size + one.ByteSize() > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(one)
        size += one.ByteSize()
    if part:
        yield part


class _Unusable(Exception):
    """A sample that cannot be read; the message begins with the field."""


def _sample(report: Document, one: Any, index: int) -> pb.BenchmarkSample:
    if not isinstance(one, Mapping):
        raise _Unusable(": a mapping is expected")
    results = one.get("results")
    if not isinstance(results, Mapping):
        raise _Unusable(".results: a mapping is expected")
    observed = one.get("observed_at")
    if observed is None:
        observed = report.get("observed_at")
    if observed is None:
        raise _Unusable(".observed_at: missing, here and in the report")
    if not _is_time(observed):
        raise _Unusable(f".observed_at: {observed!r:.60} is no time in seconds since 1970")
    service_id, workload = _text(one, "service_id"), _text(one, "workload")
    asset_id = _text(one, "asset_id")
    report_id = report.get("report_id") or "report"
    parts = (report_id, service_id, asset_id, workload, float(observed), index)
    digest = hashlib.sha1("|".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()
    sample = pb.BenchmarkSample(
        benchmark_id=_text(one, "benchmark_id") or f"bench_{digest[:16]}",
        service_id=service_id,
        asset_id=asset_id,
        workload=workload,
        asset_digest=_text(one, "asset_digest"),
    )
    sample.observed_time.FromNanoseconds(round(observed * 1e6) * 1_000)
    source = report.get("source")
    try:
        sample.results.update({"source": str(source), **results} if source else results)
        # Control reads as deep as this does.
        pb.IngestBenchmarkSamplesRequest.FromString(
            pb.IngestBenchmarkSamplesRequest(samples=[sample]).SerializeToString()
        )
    except (RecursionError, DecodeError) as error:
        raise _Unusable(".results: nested too deeply") from error
    except UnicodeEncodeError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise _Unusable(f".results: {error}") from error
    if sample.ByteSize() > MAX_SAMPLE_BYTES:
        raise _Unusable(f": larger than {MAX_SAMPLE_BYTES} bytes")
    return sample


def _is_time(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 <= value <= LATEST  # type: ignore[arg-type, operator]  # it is a number


def _text(one: Mapping[str, Any], name: str) -> str:
    value = one.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Unusable(f".{name}: a text is expected")
    return value
