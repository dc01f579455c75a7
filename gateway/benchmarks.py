"""Results of benchmarks over HTTP: clients tell them, and look at what is kept."""

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from geniehive.v1 import benchmark_service_pb2 as pb
from google.protobuf.struct_pb2 import Struct

from control.api import evidence_documents as documents
from control.api.errors import BodyTooLarge, InvalidValue
from gateway import bodies
from gateway.control_calls import ControlCalls
from gateway.listing import as_list, json, listed
from gateway.request_head import check_content
from gateway.steps import paced
from gateway.views import MAX_NAME, Asked, Name

MAX_BODY = 8 << 20  # bytes
MAX_MESSAGE = 4_000_000  # bytes; control reads no more
MAX_SAMPLES = 10_000
MAX_RESULTS = 128 << 10  # bytes as they are written; control takes 16 kB of what they say
MAX_DEPTH = 16  # of results; protobuf itself reads no more than 100 levels
MAX_SHOWN = 60  # characters of a name in a message
LARGE = 100_000  # bytes that take a millisecond to read
YEAR_10000 = 253_402_300_800  # seconds: what a timestamp cannot say any more


Text = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]


class Sample(msgspec.Struct):
    """One run of a workload. observed_at: seconds since 1970. results: an object."""

    service_id: Text
    workload: Text
    observed_at: float
    results: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
    benchmark_id: Text | None = None
    asset_id: Text | None = None


class Samples(msgspec.Struct):
    """What is told in one call. What else a body says is not read."""

    samples: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_SAMPLES)]


_samples = msgspec.json.Decoder(Samples).decode
_sample = msgspec.json.Decoder(Sample).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_value = msgspec.json.Decoder().decode

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["samples"],
                    "properties": {
                        "samples": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MAX_SAMPLES,
                            "items": msgspec.json.schema(Sample)["$defs"]["Sample"],
                        }
                    },
                }
            }
        },
    }
}

_SAID = re.compile(r"samples\[\d+\](\.\w+)*")


def router(control: ControlCalls) -> APIRouter:
    """Return the paths under `/v1/cluster` about benchmarks."""
    paths = APIRouter(prefix="/v1/cluster")

    @paths.get("/benchmarks")
    async def benchmarks(
        request: Request,
        asked: Asked,
        service_id: Name | None = None,
        workload: Name | None = None,
        asset_id: Name | None = None,
    ) -> Response:
        """List what benchmark runs found, the newest first, and how much it counts now."""

        async def fetch(size: int, token: str) -> tuple[Sequence[pb.BenchmarkSample], str]:
            found = await control.benchmarks(
                pb.ListBenchmarkSamplesRequest(
                    page_size=size,
                    page_token=token,
                    service_id=service_id or "",
                    workload=workload or "",
                    asset_id=asset_id or "",
                )
            )
            return found.samples, found.next_page_token

        return await listed(request, asked, fetch, documents.benchmark)

    @paths.post("/benchmarks", openapi_extra=_BODY)
    async def ingest(request: Request) -> Response:
        """Keep what benchmark runs found: all samples or none.

        A sample whose id is kept already replaces it, so the same call again changes
        nothing. Samples of services that nobody knows count when these come.
        """
        check_content(dict(request.headers.raw))
        raw = await bodies.read(request, MAX_BODY)
        # The loop has other things to do: 10,000 samples take some 200 ms.
        told = await asyncio.to_thread(read, raw) if len(raw) > LARGE else read(raw)
        try:
            answer = await control.ingest(told)
        except InvalidValue as error:
            message = str(error).replace(".observed_time", ".observed_at")  # as it is named here
            said = _SAID.match(message)
            raise InvalidValue(message, param=said[0] if said else None) from error
        for sample, benchmark_id in zip(told.samples, answer.benchmark_ids, strict=True):
            sample.benchmark_id = benchmark_id
        content = {
            "status": "ok",
            "count": len(told.samples),
            "created_count": answer.created_count,
            "replaced_count": answer.replaced_count,
            "unknown_service_ids": list(answer.unknown_service_ids),
            "data": await paced(as_list(documents.told_benchmark, told.samples)),
        }
        return json(content)

    return paths


def read(raw: bytes) -> pb.IngestBenchmarkSamplesRequest:
    """Return what a body tells. Whether control believes it is for control to say.

    Raises:
        InvalidBody: it is not one JSON object in UTF-8.
        InvalidValue: names the sample and the field that cannot be read, or is too long.
        BodyTooLarge: control could not read it at once.
    """
    request = pb.IngestBenchmarkSamplesRequest()
    size = 0
    for number, one in enumerate(bodies.decoded(_samples, raw).samples):
        place = f"samples[{number}]"
        sample = bodies.decoded(_sample, one, place)
        if not 0 <= sample.observed_at < YEAR_10000:
            name = f"{place}.observed_at"
            raise InvalidValue(f"{name!r}: not in seconds since 1970", param=name)
        message = request.samples.add(
            benchmark_id=sample.benchmark_id or "",
            service_id=sample.service_id,
            asset_id=sample.asset_id or "",
            workload=sample.workload,
            results=_results(sample.results, f"{place}.results"),
        )
        message.observed_time.FromNanoseconds(round(sample.observed_at * 1e6) * 1_000)
        # At once, not at the end: 8 MB of zeros become 400 MB of values.
        size += message.ByteSize()
        if size > MAX_MESSAGE:
            raise BodyTooLarge(f"these samples are too long for one call; send {number} at once")
    return request


def _results(told: msgspec.Raw, place: str) -> Struct:
    if (size := memoryview(told).nbytes) > MAX_RESULTS:
        raise InvalidValue(f"{place!r}: {size:,} bytes are more than {MAX_RESULTS:,}", param=place)
    found = Struct()
    try:
        for name, raw in bodies.decoded(_members, told, place).items():
            where = f"{place}.{_short(name)}"
            value = bodies.decoded(_value, raw, where)
            _check(value, where, MAX_DEPTH)
            found.update({name: value})
    except OverflowError as error:  # a whole number that no floating point one is near to
        raise InvalidValue(f"{where!r}: number out of range", param=where) from error
    return found


def _check(value: Any, place: str, depth: int) -> None:
    """Check that `value` is not nested too deep. depth: that is left."""
    if not depth:
        raise InvalidValue(f"{place!r}: nested too deep", param=place)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return
    for one in value:
        _check(one, place, depth - 1)


def _short(name: str) -> str:
    shown = name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}..."
    return "".join(one if one.isprintable() else "?" for one in shown)
