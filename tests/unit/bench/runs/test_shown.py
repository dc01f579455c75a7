"""What people see of runs."""

from datetime import UTC, datetime

import pytest
from geniehive.v1 import benchmark_service_pb2 as pb

from bench.runs import shown
from bench.runs.comparison import Change
from bench.runs.runner import Progress
from tests.unit.bench.runs.made import failed, record, run


def test_progress_tells_share_failures_speed_and_time_left():
    one = Progress(60, [*(record(ttft=410.0, gap=20.0) for _ in range(38)), failed()])

    assert shown.progress(one, 39.0) == (
        "[#########-----]  39/60  ok 38  failed 1 (timeout)  TTFT p50 410 ms  50 tok/s  21s left"
    )


def test_progress_begins_and_ends_without_a_guess():
    assert shown.progress(Progress(60), 1.0) == "[--------------]  0/60  ok 0"
    assert shown.progress(Progress(1, [record()]), 1.0).startswith("[##############]  1/1  ok 1")
    assert "left" not in shown.progress(Progress(1, [record()]), 1.0)


def test_the_last_line_tells_who_answered():
    records = [*(record(service="tower/ollama") for _ in range(59)), failed()]

    assert shown.summary(records, "") == "60 done: 59 by tower/ollama, 1 failed (timeout)"
    assert shown.summary([], "interrupted") == "stopped: interrupted; 0 done: none answered"


def test_a_report_is_a_table():
    text = shown.results(run([record(), record()]))

    assert text.splitlines() == [
        "SERVICE  ASSET  WORKLOAD  RUNS  PASSED    TTFT     P95  BETWEEN  TOK/S  LATENCY",
        "h1/s     m      chat.w       2    100%  100 ms  100 ms    10 ms  100.0   140 ms",
    ]


def test_kept_samples_tell_their_age_and_weight_and_hide_nothing_from_a_terminal():
    one = pb.BenchmarkSample(service_id="h1/\x1b[2Js", workload="w", weight=0.5)
    one.observed_time.FromDatetime(datetime(2026, 11, 18, tzinfo=UTC))
    one.results.update({"ttft_ms": "fast", "pass_rate": 1})
    head, line = shown.kept([one], datetime(2026, 11, 20, tzinfo=UTC)).splitlines()

    assert head.split()[-3:] == ["AGE", "WEIGHT", "NOTE"]
    assert "\x1b" not in line
    assert line.split()[-4:] == ["2d", "0.50", "not", "registered"]
    assert "100%" in line


def test_a_comparison_tells_what_is_more_than_noise():
    text = shown.comparison(
        [
            Change("TTFT p50", 520.0, 410.0, -0.212, -0.27, -0.14, "better", 60, 60),
            Change("tokens/s", 49.0, 52.1, 0.063, -0.02, 0.11, "within noise", 60, 60),
            Change("passed", 0.95, 59 / 60, 0.03, -0.03, 0.1, "within noise", 60, 60),
        ]
    )

    assert [line.rstrip() for line in text.splitlines()] == [
        "             OLD     NEW  CHANGE  VERDICT",
        "TTFT p50  520 ms  410 ms   -21 %  better (95 % CI -27..-14)",
        "tokens/s    49.0    52.1    +6 %  within noise",
        "passed     57/60   59/60   +3 pt  within noise",
    ]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, "-"), (4.26, "4.3 ms"), (42.0, "42 ms"), (999.4, "999 ms"), (1_800.0, "1.8 s")],
)
def test_durations(milliseconds, text):
    assert shown.span(milliseconds) == text
