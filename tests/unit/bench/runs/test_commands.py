"""The commands about runs: what they refuse, what they print, how they end."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.__main__ import bench
from bench.runs import conduct, report, workload
from cli.output import USAGE, Failure
from tests.unit.bench.runs.made import record, run


def invoked(*arguments):
    return CliRunner().invoke(bench, [str(one) for one in arguments])


def refused(*arguments):
    """Return the failure that a command ends with."""
    ended = invoked(*arguments)
    assert isinstance(ended.exception, Failure), ended
    return ended.exception


@pytest.fixture
def reports(tmp_path):
    """Two reports: of a target, and of one that is twice as fast."""
    paths = tmp_path / "old.json", tmp_path / "new.json"
    for path, ttft in zip(paths, (200.0, 100.0), strict=True):
        report.write(path, run([record(ttft=ttft + n) for n in range(10)]))
    return paths


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chat.short_reasoning"], "either --target NAME or --all is needed"),
        (["--all", "--target", "m"], "either --target NAME or --all is needed"),
        (["chat.short_reasoning", "--target", ""], "either --target NAME or --all is needed"),
        (["--target", "m"], "a workload is needed: chat.concise_support,"),
        (["--all", "--concurrency", "0"], "'--concurrency'"),
        (["--all", "--repeats", "1000000000"], "'--repeats'"),
    ],
)
def test_what_run_needs_is_said(arguments, said):
    ended = invoked("run", *arguments)

    assert ended.exit_code == USAGE
    assert said in ended.output


def test_a_workload_with_an_unknown_key_is_named_with_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("workload: w\noperation: chat\ncasess: []\n")
    failure = refused("run", path, "--target", "m")

    assert failure.exit_code == USAGE
    assert f"{path}:3: unknown key casess; nearest: cases" in str(failure)


def test_two_workloads_of_one_name_are_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text((workload.OWN / "chat.short_reasoning.yaml").read_text())
    failure = refused("run", "chat.short_reasoning", path, "--target", "m")

    assert str(failure) == "two of the workloads are called 'chat.short_reasoning'"
    assert failure.exit_code == USAGE


def test_a_gateway_that_is_no_address_is_refused():
    failure = refused("run", "chat.short_reasoning", "--target", "m", "--gateway", "ftp://x")
    assert str(failure) == "--gateway 'ftp://x': write http://HOST:PORT"


def test_a_report_that_cannot_be_written_is_told_before_anything_is_asked(tmp_path):
    for flag in ("--output", "--html"):
        place = tmp_path / "nowhere" / "r"
        failure = refused("run", "chat.short_reasoning", "--target", "m", flag, place)
        assert str(failure) == f"{place}: cannot be written"


def test_what_is_there_and_cannot_be_written_is_told_too(tmp_path, monkeypatch):
    """Root may write anything, so that the question is answered for it."""
    place = tmp_path / "old.json"
    place.touch()
    monkeypatch.setattr(conduct.os, "access", lambda path, _: path != place)
    failure = refused("run", "chat.short_reasoning", "--target", "m", "-o", place)

    assert str(failure) == f"{place}: cannot be written"


def test_runs_that_begin_in_the_same_second_have_files_of_their_own(tmp_path):
    named, content = tmp_path / "bench-1.json", run([record()])
    places = [conduct.written(content, conduct.Keeping(), named) for _ in range(3)]

    assert [one.name for one in places] == ["bench-1.json", "bench-1-2.json", "bench-1-3.json"]
    assert all(report.read(one) == content for one in places)


def test_a_disk_that_is_full_is_told_with_the_file(tmp_path):
    full = Path("/dev/full")
    with pytest.raises(Failure, match="/dev/full: no space left on device"):
        conduct.written(run([record()]), conduct.Keeping(path=full), full)


def test_a_comparison_is_a_table(reports):
    ended = invoked("compare", *reports)

    assert ended.exit_code == 0
    (line,) = [line for line in ended.output.splitlines() if line.startswith("TTFT p50")]
    assert "better (95 % CI" in line


def test_worse_is_an_exit_code_only_where_it_is_asked_for(reports):
    old, new = reports

    assert invoked("compare", new, old).exit_code == 0
    assert invoked("compare", new, old, "--fail-on-worse").exit_code == 1
    assert invoked("compare", old, new, "--fail-on-worse").exit_code == 0


def test_a_comparison_for_programs_names_its_schema(reports):
    found = json.loads(invoked("compare", *reports, "--json").stdout)

    assert found["schema"] == "geniehive.bench_comparison/1"
    assert found["worse"] == []
    assert {one["figure"] for one in found["changes"]} >= {"TTFT p50", "passed"}


def test_reports_of_other_cases_are_not_compared(reports, tmp_path):
    other = tmp_path / "other.json"
    report.write(other, run([record("z")]))

    assert str(refused("compare", reports[0], other)) == "the two reports have nothing in common"


@pytest.mark.parametrize(
    "content",
    [
        "no",
        '{"samples": [1], "requests": [1]}',
        '{"samples": [], "requests": [{}]}',
        '{"samples": [], "requests": [{"workload": "w", "case": "a", "latency_ms": 1e999}]}',
        '{"samples": [], "requests": [{"workload": "w", "case": "a", "ttft_ms": "x"}]}',
        '{"samples": [], "requests": [{"workload": "w", "case": "a", "ttft_ms": "NaN"}]}',
        '{"samples": [], "requests": [{"workload": "w", "case": "a", "ttft_ms": -1}]}',
    ],
)
def test_what_is_no_report_is_not_compared(reports, tmp_path, content):
    odd = tmp_path / "odd.json"
    odd.write_text(content)
    assert refused("compare", odd, reports[0]).exit_code == USAGE


def test_what_is_no_report_is_not_ingested(tmp_path):
    odd = tmp_path / "odd.json"
    odd.write_text('{"samples": [{"results": {}}]}')
    failure = refused("ingest", odd)

    assert str(failure) == f"{odd}: samples[0].observed_at: missing, here and in the report"
    assert failure.exit_code == USAGE
