"""A report counts for who answered, and says what is missing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.runs import report
from control.api.settings import SettingsError
from tests.unit.bench.runs.made import failed, record, run


def test_a_sample_has_the_results_of_the_seed_and_more():
    made = run([record(ttft=100.0), record("b", ttft=300.0, fault="contains_any")])
    (sample,) = made["samples"]

    assert (sample["service_id"], sample["asset_id"]) == ("h1/s", "m")
    assert (sample["workload"], sample["observed_at"]) == ("chat.w", 1_775_583_000.0)
    assert sample["results"] == {
        "case_count": 2,
        "request_count": 2,
        "pass_rate": 0.5,
        "response_rate": 1.0,
        "empty_visible_response_rate": 0.0,
        "p50_latency_ms": 240.0,
        "p95_latency_ms": 340.0,
        "ttft_ms": 200.0,
        "p95_ttft_ms": 300.0,
        "inter_token_ms": 10.0,
        "p95_inter_token_ms": 10.0,
        "tokens_per_sec": 100.0,
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "token_source": "usage",
    }
    assert made["report_id"] == "mentor-chat.w"
    assert made["complete"]


def test_nothing_that_was_said_is_kept():
    made = run([record()])
    assert not {"text", "content", "prompt"} & made["requests"][0].keys()


def test_a_role_that_two_served_is_two_samples_and_none_of_the_role():
    made = run([record(service="h1/a"), record(service="h2/b"), record(service="h1/a", asset="n")])
    found = [(one["service_id"], one["asset_id"]) for one in made["samples"]]

    assert found == [("h1/a", "m"), ("h2/b", "m"), ("h1/a", "n")]


def test_who_is_not_named_counts_for_nobody():
    made = run([record(), record(service=""), failed("timeout")])

    assert len(made["samples"]) == 1
    assert made["samples"][0]["results"]["request_count"] == 1
    assert made["unattributed"] == 2
    assert made["failures"] == {"timeout": 1}


def test_a_failure_counts_for_the_service_that_failed():
    (sample,) = run([record(), failed(service="h1/s")])["samples"]

    assert sample["asset_id"] == "m"
    assert sample["results"]["response_rate"] == 0.5
    assert sample["results"]["pass_rate"] == 0.5
    assert sample["results"]["p50_latency_ms"] == record().latency_ms


def test_figures_that_nobody_can_know_are_null():
    (sample,) = run([failed(service="h1/s")])["samples"]

    assert sample["results"]["ttft_ms"] is None
    assert sample["results"]["token_source"] is None
    assert sample["results"]["pass_rate"] == 0.0


def test_answers_without_tokens_do_not_say_who_counted_them():
    (sample,) = run([record(completion_tokens=None)])["samples"]
    assert sample["results"]["token_source"] is None


def test_a_run_that_was_stopped_is_partial():
    made = run([record()], stopped="the last 5 requests failed (timeout)")

    assert not made["complete"]
    assert made["stopped"] == "the last 5 requests failed (timeout)"


def test_empty_answers_are_counted():
    (sample,) = run([record(), record(fault="empty", tokens=1)])["samples"]
    assert sample["results"]["empty_visible_response_rate"] == 0.5


@given(st.lists(st.sampled_from(["a", "b", ""]), max_size=20), st.booleans())
def test_every_request_counts_once_or_is_told_as_nobodys(services, some_fail):
    records = [failed(service=one) if some_fail else record(service=one) for one in services]
    made = run(records)
    counted = sum(one["results"]["request_count"] for one in made["samples"])

    assert counted + made["unattributed"] == len(services)
    assert len(made["requests"]) == len(services)


def test_what_is_written_is_read_again(tmp_path):
    made = run([record(), failed()])
    report.write(tmp_path / "r.json", made)

    assert report.read(tmp_path / "r.json") == made


def test_a_report_may_stand_under_its_name(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"benchmark_report": {"report_id": "x", "samples": []}}))

    assert report.read(path)["report_id"] == "x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: expecting value"),
        ("{\n]", "line 2:"),
        ("[]", "samples: a list is expected"),
        ('{"samples": {}}', "samples: a list is expected"),
        ('{"samples": [{"results": {"ttft_ms": NaN}}]}', "NaN is no number"),
        ('{"samples": [{"results": {"ttft_ms": -Infinity}}]}', "-Infinity is no number"),
        ('{"samples": [{"results": {"ttft_ms": 1e999}}]}', "1e999 is too large"),
        ('{"samples": [{"results": {"ttft_ms": 1' + "0" * 400 + "}}]}", "1000"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path, text, said):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        report.read(path)
    assert refused.value.problems[0].startswith(f"{path}: {said}")
