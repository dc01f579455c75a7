import re
from dataclasses import replace

import pytest

from bench import tables
from bench.goals import TIMES
from bench.tables import DASH
from bench.targets import DIRECT, NGINX, OURS, OURS_2
from tests.unit.bench import made

FOUND = made.results(
    (DIRECT, 5.0, 40.0), (NGINX, 10.0, 100.0), (OURS, 15.0, 130.0), (OURS_2, 16.0, 0.0)
)


def line(text: str, start: str) -> list[str]:
    found = re.search(rf"^\| \**{re.escape(start)}\** \|(.*)\|$", text, re.MULTILINE)
    assert found, start
    return [cell.strip() for cell in found[1].split("|")]


def section(title: str) -> str:
    found = re.search(rf"### {title}\n(.*?)(?=\n### |\Z)", tables.render(FOUND), re.DOTALL)
    assert found, title
    return found[1]


def test_ratios_do_not_follow_a_machine_that_slows_down():
    """Both cost twice as much in round 2: the figures spread, the ratio does not."""
    cells = line(section("Whole answers, 64 connections"), OURS)

    assert cells[0] == f"22.5 (15{DASH}30)"
    assert cells[1] == f"1.5 {TIMES}"
    assert cells[3] == "100%"


def test_rates_are_compared_by_whole_core():
    cells = line(section("Whole answers, 64 connections"), OURS)

    assert cells[4].startswith("50,000")
    assert cells[5] == f"0.667 {TIMES}"


def test_added_latency_is_on_top_of_the_engine():
    text = section("Added latency, 1 connection")

    assert line(text, OURS)[:2] == ["90", f"1.5 {TIMES}"]
    assert line(text, DIRECT)[:2] == [DASH, DASH]


def test_what_was_not_delivered_is_told():
    assert line(section("Streams, an event every 5 ms"), OURS)[-1] == "1,298 of 1,300"
    assert line(section("Asked and measured"), "events of 256 streams delivered")[-1] == "**no**"


def test_two_workers_are_told_by_what_they_cost():
    assert f"1.88 {TIMES} of one" in section("Two workers")


def test_what_was_not_measured_is_said_so():
    text = section("Asked and measured")

    assert line(text, "CPU/request, to nginx")[1:] == [f"1.5 {TIMES}", "yes"]
    assert line(text, "requests/s per core, to LiteLLM")[1:] == [DASH, "not measured"]
    assert line(text, "a change to gateways, p99, 1,000 services") == ["≤ 3 ms", "3 ms", "yes"]
    assert "- absent: it cannot be had" in section("Left out")


def test_fleets_have_a_column_each():
    two = replace(FOUND, fleets=(made.FLEET, replace(made.FLEET, nodes=5_000)))

    text = tables.render(two)

    assert line(text, "nodes, services") == ["1,000, 1,000", "5,000, 1,000"]


@pytest.mark.parametrize("rounds", [0, 1])
def test_little_is_enough_for_a_page(rounds):
    assert "Measured on" in tables.render(made.results((DIRECT, 5.0, 40.0), rounds=rounds))


def test_runs_that_came_too_early_are_told():
    early = replace(FOUND.rows[0], drained=False)

    text = tables.render(replace(FOUND, rows=(early, *FOUND.rows[1:])))

    assert "come to rest: 1 of direct." in text
    assert "come to rest" not in tables.render(FOUND)
