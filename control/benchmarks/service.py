"""BenchmarkService: takes results of benchmark runs, and lists them. Translates only."""

import asyncio
from collections.abc import Callable, Sequence

import grpc
from geniehive.v1 import benchmark_service_pb2 as pb
from geniehive.v1 import benchmark_service_pb2_grpc as pb_grpc

from control.api.errors import InvalidValue, RateLimited
from control.benchmarks.keeping import SampleKeeping
from control.benchmarks.messages import sample_message, samples_of
from control.benchmarks.records import TrackRecords
from control.benchmarks.samples import Sample
from control.inventory import Service
from control.pacing import Looks
from control.paging import Page, asked
from control.store.benchmarks import Filter, Place

MAX_CALLS = 8  # that bring samples at the same time, 4 MB each at most
MAX_UNKNOWN = 100  # services that are named
MAX_PAGE_BYTES = 1 << 20  # a page that is full by that has fewer samples than asked for


class BenchmarkServicer(pb_grpc.BenchmarkServiceServicer):
    """See the comments of the service in the contract.

    service: of an id, None when it is not registered. wall_time: now, in seconds since 1970.
    """

    def __init__(
        self,
        keeping: SampleKeeping,
        records: TrackRecords,
        service: Callable[[str], Service | None],
        wall_time: Callable[[], float],
    ) -> None:
        self._keeping = keeping
        self._records = records
        self._service = service
        self._wall_time = wall_time
        self._calls = 0
        self._looks = Looks()

    async def IngestBenchmarkSamples(
        self,
        request: pb.IngestBenchmarkSamplesRequest,
        context: grpc.aio.ServicerContext[
            pb.IngestBenchmarkSamplesRequest, pb.IngestBenchmarkSamplesResponse
        ],
    ) -> pb.IngestBenchmarkSamplesResponse:
        if max(self._calls, self._keeping.busy) >= MAX_CALLS:
            raise RateLimited(f"{MAX_CALLS} others bring samples already; try again later")
        self._calls += 1
        try:
            samples = await asyncio.to_thread(samples_of, request, self._wall_time())
            taken = await self._keeping.take(samples)
        finally:
            self._calls -= 1
        services = {one.service_id for one in samples}
        unknown = sorted(one for one in services if self._service(one) is None)
        return pb.IngestBenchmarkSamplesResponse(
            created_count=taken.created,
            replaced_count=taken.replaced,
            benchmark_ids=[one.benchmark_id for one in samples],
            unknown_service_ids=unknown[:MAX_UNKNOWN],
        )

    async def ListBenchmarkSamples(
        self,
        request: pb.ListBenchmarkSamplesRequest,
        context: grpc.aio.ServicerContext[
            pb.ListBenchmarkSamplesRequest, pb.ListBenchmarkSamplesResponse
        ],
    ) -> pb.ListBenchmarkSamplesResponse:
        wanted = Filter(request.service_id, request.asset_id, request.workload)
        filters = wanted.service_id, wanted.asset_id, wanted.workload
        page = asked("benchmarks", filters, request.page_size, request.page_token)
        after = _place(page.after) if page.after else None
        found = await self._keeping.listed(wanted, after, page.size + 1)
        known = {one.service_id: self._service(one.service_id) for one in found}
        there = [known[one.service_id] is not None for one in found]
        weights = []
        async with self._looks.turn() as rest:
            for one in found:
                weights.append(self._records.weight(one.benchmark_id, known[one.service_id]))
                await rest()
        return await asyncio.to_thread(_response, page, found, there, weights)


def _response(
    page: Page, found: Sequence[Sample], there: Sequence[bool], weights: Sequence[float]
) -> pb.ListBenchmarkSamplesResponse:
    response = pb.ListBenchmarkSamplesResponse()
    size = 0
    for sample, known, weight in zip(found[: page.size], there, weights, strict=False):
        message = sample_message(sample, known=known, weight=weight)
        size += message.ByteSize()
        if size > MAX_PAGE_BYTES and response.samples:
            break
        response.samples.append(message)
    if len(response.samples) < len(found):
        last = found[len(response.samples) - 1]
        response.next_page_token = page.token(f"{last.observed_at!r} {last.benchmark_id}")
    return response


def _place(position: str) -> Place:
    observed_at, _, benchmark_id = position.partition(" ")
    try:
        return float(observed_at), benchmark_id
    except ValueError as error:
        raise InvalidValue("page_token is not one of ours", param="page_token") from error
