"""The command: what it refuses, what it prints."""

import json
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

from bench.__main__ import bench
from bench.replay import page
from bench.replay.ours import Ours
from bench.replay.simulation import Plan, simulate
from cli.output import UNREACHABLE, USAGE, Failure
from tests.unit.bench.replay.made import conversation


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "small.csv"
    lines = [f"{one.at},{one.prompt},{one.answer}" for one in conversation(60)]
    path.write_text("\n".join(["time,input_tokens,output_tokens", *lines]))
    return path


def invoked(*arguments):
    return CliRunner().invoke(bench, ["replay", *(str(one) for one in arguments)])


def test_a_simulation_is_told_as_a_table_and_drawn(trace, tmp_path):
    picture = tmp_path / "p.svg"
    ended = invoked(
        *(trace, "--load", 0.5, "--seeds", 1, "--room", "both", "--peer", "herd"),
        *("--plot", picture),
    )

    assert ended.exit_code == 0, ended.output
    head, *rows = ended.stdout.splitlines()
    assert head.split() == [
        *("TRACE", "FLEET", "LOAD", "DECIDED", "BY", "GOODPUT", "TTFT", "P50", "P95", "P99"),
        *("WHOLE", "WAIT", "P95", "REFUSED", "COLD"),
    ]
    assert "expected_completion, room on" in rows[0]
    assert "expected_completion, room off" in rows[1]
    assert "herd" in rows[2]
    assert "small, fleet A, load 0.5: seconds to the first token" in "".join(
        ET.parse(picture).getroot().itertext()
    )


def test_a_simulation_is_told_to_programs(trace):
    ended = invoked(trace, "--load", 0.5, "--seeds", 2, "--strategy", "least_loaded", "--json")
    document = json.loads(ended.stdout)

    assert document["schema"] == "geniehive.bench_replay/1"
    (row,) = document["rows"]
    assert (row["trace"], row["fleet"], row["load"]) == ("small", "A", 0.5)
    assert row["name"] == "least_loaded, room on"
    assert [run["requests"] for run in row["runs"]] == [60, 60]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--peer", "luck"], "no policy 'luck'; there are: random, round_robin,"),
        (["--wrong", "luck:2"], "--wrong: 'luck' is none of prefill,"),
    ],
)
def test_what_is_not_known_is_named(trace, arguments, said):
    ended = invoked(trace, *arguments)

    assert isinstance(ended.exception, Failure)
    assert ended.exception.exit_code == USAGE
    assert said in str(ended.exception)


def test_a_trace_that_cannot_be_used_is_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("time,input_tokens,output_tokens\n1,2,x\n")
    failure = invoked(path).exception

    assert isinstance(failure, Failure)
    assert str(failure) == f"{path}:2: output_tokens: 'x' is no count of tokens"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rate", "2"], "need a --target"),
        (["--target", "http://127.0.0.1:1"], "--target needs a --model, and one trace"),
        (
            ["--target", "http://127.0.0.1:1", "--model", "m", "--rate", "2", "--speed", "2"],
            "either --rate or --speed",
        ),
    ],
)
def test_options_that_do_not_fit_are_told(trace, arguments, said):
    ended = invoked(trace, *arguments)

    assert ended.exit_code == USAGE
    assert said in ended.output


def test_a_gateway_that_is_not_there_is_told(trace):
    ended = invoked(trace, "--target", "http://127.0.0.1:1", "--model", "m", "--count", "10")

    assert isinstance(ended.exception, Failure)
    assert ended.exception.exit_code == UNREACHABLE


def test_the_page_has_tables_of_all_that_was_simulated():
    plan = Plan({"small": conversation(60)}, ["A"], [0.7], {page.OURS: Ours()}, ["herd"], seeds=1)
    rows = list(simulate(plan, lambda done, what: None))
    base = [rows[0]]
    table = page.robustness(base, [page.Change("nothing", base)])

    assert f"**{page.OURS}**" in page.comparison(rows, "A")
    assert "| herd |" in page.comparison(rows, "A")
    assert table.splitlines()[-1].startswith("| nothing |")
    assert table.splitlines()[-1].count("(+0.0)") == 2
    marked = "a\n<!-- m, made by `make replay`: begin -->\nold\n<!-- end -->\nb"
    assert page.filled(marked, "m", "new").count("new") == 1
    assert "old" not in page.filled(marked, "m", "new")
