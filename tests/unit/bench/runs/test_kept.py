"""Samples into control and out of it, against the test server of gRPC."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc_testing
import pytest
from geniehive.v1 import benchmark_service_pb2 as pb

from bench.runs import kept
from cli.output import USAGE, Failure
from control.api import auth
from control.api.settings import SettingsError
from tests.unit.bench.runs.made import record, run

BENCHMARKS = pb.DESCRIPTOR.services_by_name["BenchmarkService"]
OPERATOR = auth.metadata("operator", "secret")
SECONDS = 5.0  # ends a client that the test forgot

SEED = {
    "report_id": "p40-short-reasoning",
    "observed_at": 1775583000.0,
    "source": "local-smoke",
    "samples": [
        {
            "service_id": "p40-box/chat/gpu1-secondary",
            "asset_id": "Qwen3.5-9B-Q5_K_M",
            "workload": "chat.short_reasoning",
            "results": {"ttft_ms": 900, "tokens_per_sec": 30, "quality_score": 0.9},
        }
    ],
}


@pytest.fixture
def channel():
    return grpc_testing.channel([BENCHMARKS], grpc_testing.strict_real_time())


@pytest.fixture
def client():
    """Runs the client, which blocks, while the test plays control."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def answer(channel, method, response, status=grpc.StatusCode.OK, reason="", said=""):
    """Answer the next use of `method`; return what was presented and asked."""
    metadata, request, call = channel.take_unary_unary(BENCHMARKS.methods_by_name[method])
    call.send_initial_metadata(())
    call.terminate(response, (("geniehive-reason", reason),), status, said)
    return dict(metadata), request


def sample(**changes):
    return {**SEED["samples"][0], **changes}


def nested(depth):
    found = {}
    for _ in range(depth):
        found = {"a": found}
    return found


def test_the_report_of_the_seed_is_taken_as_it_is():
    (found,) = kept.samples(SEED, "r.json")

    assert found.service_id == "p40-box/chat/gpu1-secondary"
    assert found.observed_time.seconds == 1775583000
    assert dict(found.results.items()) == {
        "ttft_ms": 900.0,
        "tokens_per_sec": 30.0,
        "quality_score": 0.9,
        "source": "local-smoke",
    }
    # sha1 of p40-short-reasoning|p40-box/chat/gpu1-secondary|Qwen3.5-9B-Q5_K_M|
    # chat.short_reasoning|1775583000.0|0
    assert found.benchmark_id == "bench_43443b18c252dbcc"


def test_the_same_report_has_the_same_ids_and_two_samples_have_two():
    twice = {**SEED, "samples": SEED["samples"] * 2}
    first, second = (kept.samples(twice, "r.json") for _ in range(2))

    assert first == second
    assert len({one.benchmark_id for one in first}) == 2


def made_id(**report):
    (found,) = kept.samples({**SEED, **report}, "r.json")
    return found.benchmark_id


def test_ids_are_those_of_the_first_geniehive():
    # A time is a number of it with a fraction, a report without a name is `report`.
    assert made_id(observed_at=1775583000) == made_id() == "bench_43443b18c252dbcc"
    assert made_id(report_id=None) == made_id(report_id="report") == "bench_398c03cd9ddc0c80"


def test_a_sample_may_say_itself_where_it_is_from():
    (found,) = kept.samples({**SEED, "samples": [sample(results={"source": "lab"})]}, "r.json")
    assert found.results["source"] == "lab"


def test_an_id_and_a_time_of_its_own_win():
    one = sample(benchmark_id="bench-qwen-1", observed_at=1775582000.5)
    (found,) = kept.samples({**SEED, "samples": [one]}, "r.json")

    assert found.benchmark_id == "bench-qwen-1"
    assert found.observed_time.ToMilliseconds() == 1775582000500


def test_null_is_unknown():
    report = run([record(ttft=None)])
    (found,) = kept.samples(report, "r.json")

    assert found.results["ttft_ms"] is None
    assert found.results["case_count"] == 1


@pytest.mark.parametrize(
    ("one", "said"),
    [
        ("text", ": a mapping is expected"),
        (sample(results=None), ".results: a mapping is expected"),
        (sample(results={"a": object}), ".results: "),
        (sample(results=nested(40)), ".results: nested too deeply"),
        (sample(results=nested(800)), ".results: nested too deeply"),
        (sample(results={"a": "\ud800"}), ": half of a surrogate pair is no character"),
        (sample(workload="\ud800"), ": half of a surrogate pair is no character"),
        (sample(observed_at="yesterday"), ".observed_at: 'yesterday' is no time"),
        (sample(observed_at=True), ".observed_at: True is no time"),
        (sample(observed_at=1e300), ".observed_at: 1e+300 is no time"),
        (sample(observed_at=-1), ".observed_at: -1 is no time"),
        (sample(results={"a": "x" * 2_000_000}), ": larger than 1048576 bytes"),
        (sample(service_id=7), ".service_id: a text is expected"),
        (sample(benchmark_id=[]), ".benchmark_id: a text is expected"),
    ],
    ids=lambda one: ascii(one)[:60],
)
def test_a_sample_that_cannot_be_read_is_named(one, said):
    with pytest.raises(SettingsError) as refused:
        kept.samples({**SEED, "samples": [sample(), one]}, "r.json")
    (problem,) = refused.value.problems
    assert problem.startswith(f"r.json: samples[1]{said}")


def test_a_sample_without_a_time_in_it_or_around_it_is_refused():
    with pytest.raises(SettingsError, match=r"samples\[0\]\.observed_at: missing"):
        kept.samples({"samples": [sample()]}, "r.json")


def test_samples_go_a_thousand_at_a_time_as_who_types(channel, client):
    found = kept.samples({**SEED, "samples": SEED["samples"] * 1_500}, "r.json")
    asking = client.submit(kept.ingest, channel, found, "r.json", SECONDS, OPERATOR)
    sizes = []
    for created, unknown in ((1_000, "h2/b"), (0, "h1/a")):
        response = pb.IngestBenchmarkSamplesResponse(
            created_count=created,
            replaced_count=3,
            benchmark_ids=["x"],
            unknown_service_ids=[unknown],
        )
        metadata, request = answer(channel, "IngestBenchmarkSamples", response)
        sizes.append(len(request.samples))

    assert metadata["authorization"] == "Bearer secret"
    assert sizes == [1_000, 500]
    assert asking.result(SECONDS) == kept.Kept(1_000, 6, ("x", "x"), ("h1/a", "h2/b"))


def test_no_call_is_larger_than_control_takes(channel, client):
    large = sample(results={"note": "x" * 15_000})
    found = kept.samples({**SEED, "samples": [large] * 500}, "r.json")
    asking = client.submit(kept.ingest, channel, found, "r.json", SECONDS)
    requests = []
    while sum(len(one.samples) for one in requests) < 500:
        done = pb.IngestBenchmarkSamplesResponse()
        requests.append(answer(channel, "IngestBenchmarkSamples", done)[1])

    asking.result(SECONDS)
    assert len(requests) == 3
    assert all(one.ByteSize() < 4 << 20 for one in requests)


def test_what_control_refuses_is_told_in_its_words(channel, client):
    found = kept.samples({**SEED, "samples": SEED["samples"] * 1_500}, "r.json")
    asking = client.submit(kept.ingest, channel, found, "r.json", SECONDS)
    answer(channel, "IngestBenchmarkSamples", pb.IngestBenchmarkSamplesResponse())
    said = "samples[0].results.ttft_ms: must not be below 0"
    refused = grpc.StatusCode.INVALID_ARGUMENT
    answer(channel, "IngestBenchmarkSamples", None, refused, "invalid_value", said)

    with pytest.raises(Failure) as failed:
        asking.result(SECONDS)
    assert str(failed.value) == f"r.json: {said}, counted from 1000"
    assert failed.value.exit_code == USAGE


def test_pages_are_read_until_there_is_enough(channel, client):
    asking = client.submit(
        kept.read, channel, 3, SECONDS, OPERATOR, service_id="h1/a", workload="w"
    )
    page = pb.ListBenchmarkSamplesResponse(samples=[pb.BenchmarkSample()] * 2, next_page_token="t")
    _, first = answer(channel, "ListBenchmarkSamples", page)
    _, second = answer(channel, "ListBenchmarkSamples", page)

    assert first == pb.ListBenchmarkSamplesRequest(page_size=3, service_id="h1/a", workload="w")
    assert second.page_token == "t"
    assert len(asking.result(SECONDS)) == 3


def test_the_last_page_ends_it(channel, client):
    asking = client.submit(kept.read, channel, 5_000, SECONDS)
    _, request = answer(channel, "ListBenchmarkSamples", pb.ListBenchmarkSamplesResponse())

    assert request.page_size == kept.PAGE
    assert asking.result(SECONDS) == []
