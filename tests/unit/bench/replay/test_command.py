"""The command: what it refuses, what it prints."""

import json
import xml.etree.ElementTree as ET
from contextlib import contextmanager

import pytest
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner

from bench.__main__ import bench
from bench.replay import page
from bench.replay.ours import Ours
from bench.replay.simulation import Plan, simulate
from cli.output import UNREACHABLE, USAGE, Failure
from tests.fakes.engine import Engine, openai
from tests.unit.bench.replay.made import conversation


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "small.csv"
    lines = [f"{one.at},{one.prompt},{one.answer}" for one in conversation(60)]
    path.write_text("\n".join(["time,input_tokens,output_tokens", *lines]))
    return path


@contextmanager
def gateway():
    """Run what answers as a gateway does; yields its URL."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Engine(openai(["m"], words=3))) as engine,
    ):
        yield engine.url


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
        (["--rate", "2"], "--rate needs a --target"),
        (["--scale", "1"], "--scale needs a --target"),
        (
            ["--target", "http://127.0.0.1:1", "--model", "m", "--load", "0.5"],
            "--load is for simulations, without --target",
        ),
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


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("here", USAGE, "--target 'here': write http://HOST:PORT"),
        ("http://127.0.0.1:1", UNREACHABLE, "gateway http://127.0.0.1:1 does not answer"),
    ],
)
def test_a_gateway_that_cannot_be_reached_is_told_before_all_is_sent(trace, target, code, said):
    failure = invoked(trace, "--target", target, "--model", "m").exception

    assert isinstance(failure, Failure)
    assert (failure.exit_code, str(failure)) == (code, said)
    assert "--gateway" not in failure.text()


def test_a_trace_of_which_nothing_comes_in_the_time_is_told(tmp_path):
    """Times in steps are spread over these, so that the first request is not due at once."""
    path = tmp_path / "steps.csv"
    path.write_text("time,input_tokens,output_tokens\n0,1,1\n3,1,1\n")
    with gateway() as url:
        failure = invoked(path, "--target", url, "--model", "m", "--duration", 1e-9).exception

    assert isinstance(failure, Failure)
    assert str(failure) == f"{path}: no request comes in 1e-09 s"


def test_two_traces_of_one_name_are_refused(trace, tmp_path):
    (tmp_path / "more").mkdir()
    other = tmp_path / "more/small.jsonl"
    failure = invoked(trace, other).exception

    assert isinstance(failure, Failure)
    assert str(failure) == f"{other}: another trace is called small, too"


def test_a_trace_is_sent_and_told(trace):
    with gateway() as url:
        ended = invoked(trace, "--target", url, "--model", "m", "--speed", 1_000, "--json")

    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)["replay"]
    assert (told["sent"], told["answered"], told["errors"]) == (60, 60, {})


def test_the_page_has_tables_of_all_that_was_simulated():
    plan = Plan({"small": conversation(60)}, ["A"], [0.7], {page.OURS: Ours()}, ["herd"], seeds=1)
    rows = list(simulate(plan, lambda done, what: None))
    base = [rows[0]]
    table = page.robustness(base, [page.Change("nothing", base)])

    assert f"**{page.OURS}**" in page.comparison(rows, "A")
    assert "| herd |" in page.comparison(rows, "A")
    assert table.splitlines()[-1].startswith("| nothing |")
    assert table.splitlines()[-1].count("(+0.0)") == 2
