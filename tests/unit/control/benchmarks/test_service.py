"""The service as callers see it: samples come in, are listed, and change routes."""

import asyncio

import grpc
import pytest
from geniehive.v1 import benchmark_service_pb2 as pb
from geniehive.v1 import routing_service_pb2 as routing_pb

from control.api.errors import StorageUnavailable
from control.benchmarks import service
from control.ranking.offering import Rules
from control.store.benchmarks import Taken
from tests.unit.control.builders import asset, host, offer
from tests.unit.control.serving import serving, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def writer(store):
    return store.writer


def sample(control, benchmark_id="", age=0.0, results=None, **fields):
    given = {"service_id": "h2/s", "asset_id": "m", "workload": "chat.a"} | fields
    message = pb.BenchmarkSample(benchmark_id=benchmark_id, **given)
    message.observed_time.FromMicroseconds(round((wall(control) - age) * 1e6))
    message.results.update({"pass_rate": 1.0} if results is None else results)
    return message


def wall(control):
    return control.clock.wall_time(control.clock())


async def ingest(control, *samples):
    return await control.benchmarks.IngestBenchmarkSamples(
        pb.IngestBenchmarkSamplesRequest(samples=samples)
    )


async def listed(control, **asked):
    return await control.benchmarks.ListBenchmarkSamples(pb.ListBenchmarkSamplesRequest(**asked))


async def ids(control, **asked):
    return [one.benchmark_id for one in (await listed(control, **asked)).samples]


async def join(control, *host_ids, digest=""):
    for host_id in host_ids:
        one = offer(f"{host_id}/s", asset("m", loaded=True, digest=digest))
        await control.cluster.register(host(host_id), "i", [one])


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details()


async def test_samples_are_kept_with_what_is_known_of_them(one_loop, writer):
    async with serving(writer=writer) as control:
        await join(control, "h2", digest="d7")
        answer = await ingest(
            control,
            sample(control, "b1", results={"pass_rate": 0.5, "notes": ["x", None]}),
            sample(control, "b2", age=60, service_id="h9/gone"),
        )
        first, second = (await listed(control)).samples

    assert (answer.created_count, answer.replaced_count) == (2, 0)
    assert list(answer.benchmark_ids) == ["b1", "b2"]
    assert list(answer.unknown_service_ids) == ["h9/gone"]
    assert (first.benchmark_id, first.service_known, first.weight) == ("b1", True, 1.0)
    assert first.asset_digest == "d7"
    assert first.results["pass_rate"] == 0.5
    assert list(first.results["notes"]) == ["x", None]
    assert (second.service_known, second.asset_digest) == (False, "")


async def test_the_same_call_again_changes_nothing(one_loop, writer):
    async with serving(writer=writer) as control:
        await join(control, "h2", digest="d7")
        brought = sample(control, age=5)
        created = await ingest(control, brought)
        before = await listed(control)
        # Meanwhile the model got other weights.
        await join(control, "h2", digest="d8")
        again = await ingest(control, brought)
        (after,) = (await listed(control)).samples

    assert (created.created_count, again.created_count, again.replaced_count) == (1, 0, 1)
    assert created.benchmark_ids == again.benchmark_ids
    assert created.benchmark_ids[0].startswith("bench_")
    assert before.samples[0].asset_digest == after.asset_digest == "d7"
    assert (before.samples[0].weight, after.weight) == (1.0, 0.0)


async def test_routes_resolve_explain_and_match_follow_a_sample(one_loop, writer):
    async with serving(writer=writer) as control:
        control.cluster.rule(Rules())
        await join(control, "h1", "h2")

        def first():
            found = control.compiler.targets["chat"].get("m")
            return found and found[0].service_id

        await until(lambda: first() == "h1/s")
        await ingest(control, sample(control, age=7_200))
        control.cluster.rule(Rules())  # as a sweep does, it publishes what changed
        await until(lambda: first() == "h2/s")
        resolved = await control.routing.ResolveRoute(
            routing_pb.ResolveRouteRequest(model="m", explain=True)
        )
        matched = await control.routing.MatchRoutes(
            routing_pb.MatchRoutesRequest(workload="chat.a", limit=1)
        )

    assert [one.candidate.service_id for one in resolved.candidates] == ["h2/s", "h1/s"]
    tried, untried = resolved.explanations
    assert (tried.service_id, tried.score) == ("h2/s", resolved.candidates[0].candidate.score)
    assert [one.detail for one in tried.terms if one.name == "benchmark"] == [
        "1 run, fit 0.00, quality 0.82, 2h old"
    ]
    assert [one.detail for one in untried.terms if one.name == "benchmark"] == ["no runs"]
    signals = matched.candidates[0].signals
    assert matched.candidates[0].direct_service_id == "h2/s"
    assert (signals.benchmark_match_count, signals.best_workload_overlap) == (1, 1.0)
    assert signals.benchmark_age.ToSeconds() == 7_200
    assert "did well in workloads that fit 100% (quality 0.82, 2h ago)" in (
        matched.candidates[0].reasons
    )


async def test_samples_of_other_weights_are_told_in_matches(one_loop, writer):
    async with serving(writer=writer) as control:
        await join(control, "h2", digest="d7")
        control.cluster.rule(Rules())
        await until(lambda: control.compiler.targets["chat"].get("m"))
        await ingest(control, sample(control, asset_digest="d6"))
        matched = await control.routing.MatchRoutes(routing_pb.MatchRoutesRequest())
    signals = matched.candidates[0].signals

    assert (signals.benchmark_match_count, signals.benchmark_replaced_count) == (0, 1)
    assert not signals.HasField("benchmark_age")


async def test_lists_are_paged_and_filtered_and_tokens_are_of_their_question(one_loop, writer):
    async with serving(writer=writer) as control:
        await ingest(
            control,
            *(sample(control, f"b{n}", age=n, workload=f"chat.{n % 2}") for n in range(5)),
        )
        page = await listed(control, page_size=2)
        rest = await listed(control, page_size=3, page_token=page.next_page_token)
        even = await ids(control, workload="chat.0")
        none = await ids(control, service_id="h2/s", asset_id="x")
        other = await refused(listed(control, workload="chat.0", page_token=page.next_page_token))
        garbage = await refused(listed(control, page_token="?"))
        extreme = [await refused(listed(control, page_size=size)) for size in (-1, 1_001)]

    assert [one.benchmark_id for one in page.samples] == ["b0", "b1"]
    assert [one.benchmark_id for one in rest.samples] == ["b2", "b3", "b4"]
    assert not rest.next_page_token
    assert (even, none) == (["b0", "b2", "b4"], [])
    for code, _ in (other, garbage, *extreme):
        assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_page_ends_when_it_is_large(one_loop, writer, monkeypatch):
    monkeypatch.setattr(service, "MAX_PAGE_BYTES", 3_000)
    async with serving(writer=writer) as control:
        large = {"log": "x" * 2_000}
        await ingest(control, *(sample(control, f"b{n}", n, large) for n in range(3)))
        found, token = [], ""
        while token or not found:
            page = await listed(control, page_token=token)
            found.append([one.benchmark_id for one in page.samples])
            token = page.next_page_token

    assert found == [["b0"], ["b1"], ["b2"]]


async def test_one_bad_sample_refuses_the_whole_call_by_its_name(one_loop, writer):
    async with serving(writer=writer) as control:
        good = [sample(control, f"b{n}") for n in range(17)]
        bad = sample(control, results={"ttft_ms": float("nan")})
        timeless = pb.BenchmarkSample(service_id="h/s", workload="w")
        told = await refused(ingest(control, *good, bad))
        without_time = await refused(ingest(control, timeless))
        nothing = await refused(ingest(control))
        kept = await ids(control)

    code = grpc.StatusCode.INVALID_ARGUMENT
    assert told == (code, "samples[17].results.ttft_ms: holds a number that is not finite")
    assert without_time == (code, "samples[0].observed_time: is missing")
    assert nothing == (code, "0 samples are not 1 to 10,000")
    assert kept == []


async def test_ten_thousand_samples_come_in_one_call(one_loop, writer):
    async with serving(writer=writer) as control:
        many = [sample(control, service_id=f"h{n % 1_000}/s", age=n) for n in range(10_000)]
        answer = await ingest(control, *many)

        assert answer.created_count == 10_000
        assert len(answer.unknown_service_ids) == 100
        assert len(control.records) == 10_000


async def test_too_many_who_bring_samples_are_told_to_come_again(one_loop, writer, monkeypatch):
    monkeypatch.setattr(service, "MAX_CALLS", 0)
    async with serving(writer=writer) as control:
        code, _ = await refused(ingest(control, sample(control)))

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


class StuckDisk:
    """Takes nothing and refuses nothing until a test lets it go."""

    def __init__(self):
        self.free = asyncio.Event()

    async def run(self, fn, *args):
        await self.free.wait()
        return Taken(1, 0, frozenset())


async def test_who_goes_away_while_the_disk_is_stuck_leaves_no_room_for_more(one_loop, monkeypatch):
    """Their samples wait in memory all the same."""
    monkeypatch.setattr(service, "MAX_CALLS", 3)
    disk = StuckDisk()
    async with serving(writer=disk) as control, asyncio.timeout(30):
        calls = [asyncio.ensure_future(ingest(control, sample(control, f"b{n}"))) for n in range(3)]
        await until(lambda: control.keeping.busy == 3)
        for call in calls:
            call.cancel()
        code, _ = await refused(ingest(control, sample(control, "b3")))
        disk.free.set()
        await until(lambda: len(control.records) == 3)
        await ingest(control, sample(control, "b4"))

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


class BrokenDisk:
    async def run(self, fn, *args):
        raise StorageUnavailable("the disk is full")


async def test_what_the_disk_does_not_take_does_not_count(one_loop):
    async with serving(writer=BrokenDisk()) as control:
        code, _ = await refused(ingest(control, sample(control)))
        count = len(control.records)

    assert (code, count) == (grpc.StatusCode.UNAVAILABLE, 0)
