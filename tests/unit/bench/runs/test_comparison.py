"""A change is one when chance does not explain it."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.runs import comparison
from bench.runs.comparison import compare, only_in_one
from tests.unit.bench.runs.made import failed, record, run


def drawn(seed, middle, count=40, *, faults=0, cases=("a",)):
    """A report of a target whose first tokens take about `middle` milliseconds."""
    chance = Random(seed)
    records = [
        record(
            cases[number % len(cases)],
            ttft=chance.gauss(middle, middle / 10),
            gap=chance.gauss(20.0, 1.0),
            fault="contains_any" if number < faults else "",
        )
        for number in range(count)
    ]
    return run(records)


def verdicts(old, new):
    return {one.figure: one.verdict for one in compare(old, new)}


def test_a_fifth_less_is_better_and_a_fifth_more_is_worse():
    slow, fast = drawn(1, 520.0), drawn(2, 410.0)

    assert verdicts(slow, fast)["TTFT p50"] == "better"
    assert verdicts(fast, slow)["TTFT p50"] == "worse"
    assert verdicts(slow, fast)["tokens/s"] == "within noise"


def test_the_interval_is_around_the_change():
    found = compare(drawn(1, 500.0), drawn(2, 400.0))[0]

    assert found.low < found.change < found.high
    assert found.change == pytest.approx(-0.2, abs=0.05)


def of_cases(seed, share=1.0, repeats=3):
    """A report of three cases, each of which takes ten times what the one before does."""
    chance = Random(seed)
    middles = {"a": 100.0, "b": 1_000.0, "c": 10_000.0}
    return run(
        [
            record(case, ttft=chance.gauss(middle, middle / 20) * share)
            for case, middle in middles.items()
            for _ in range(repeats)
        ]
    )


def test_cases_that_differ_do_not_hide_what_changed():
    assert verdicts(of_cases(1), of_cases(2, 0.5))["TTFT p50"] == "better"
    assert verdicts(of_cases(1, repeats=20), of_cases(2, 0.9, 20))["TTFT p50"] == "better"


@pytest.mark.parametrize("repeats", [2, 3, 10])
def test_one_verdict_in_twenty_is_chance(monkeypatch, repeats):
    monkeypatch.setattr(comparison, "DRAWS", 100)
    pairs = [(of_cases(n, 1, repeats), of_cases(-n - 1, 1, repeats)) for n in range(40)]
    wrong = sum(verdicts(old, new)["TTFT p50"] != "within noise" for old, new in pairs)

    assert wrong <= 6


def test_cases_that_were_asked_twice_say_nothing_of_their_noise():
    assert verdicts(of_cases(1, 1, 2), of_cases(2, 0.5, 2))["TTFT p50"] == "within noise"


def test_more_right_answers_are_better():
    assert verdicts(drawn(1, 500.0, faults=30), drawn(2, 500.0))["passed"] == "better"
    assert verdicts(drawn(1, 500.0), drawn(2, 500.0, faults=30))["passed"] == "worse"
    assert verdicts(drawn(1, 500.0, faults=2), drawn(2, 500.0))["passed"] == "within noise"


@pytest.mark.parametrize("seed", range(5))
def test_the_same_target_twice_is_within_noise(seed):
    same = verdicts(drawn(seed, 500.0, cases="ab"), drawn(seed + 100, 500.0, cases="ab"))
    # One in twenty verdicts may be wrong by the meaning of 95 %.
    assert sum(one != "within noise" for one in same.values()) <= 1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1_000))
def test_a_report_is_like_itself(seed):
    one = drawn(seed, 500.0, count=10)
    assert set(verdicts(one, one).values()) == {"within noise"}


def test_the_same_reports_always_say_the_same():
    assert compare(drawn(1, 500.0), drawn(2, 450.0)) == compare(drawn(1, 500.0), drawn(2, 450.0))


def test_four_requests_tell_nothing_of_noise():
    assert verdicts(drawn(1, 500.0, count=4), drawn(2, 100.0))["TTFT p50"] == "too few to tell"


def test_failures_count_as_not_passed_and_have_no_times():
    old = run([record() for _ in range(10)])
    new = run([*(record() for _ in range(5)), *(failed() for _ in range(5))])
    found = {one.figure: one for one in compare(old, new)}

    assert found["TTFT p50"].new_count == 5
    assert (found["passed"].new, found["passed"].new_count) == (0.5, 10)


def test_only_cases_that_both_have_are_compared():
    old = drawn(1, 500.0, cases=("a", "b"))
    new = drawn(2, 500.0, cases=("b", "c"))

    assert only_in_one(old, new) == ["chat.w/a", "chat.w/c"]
    assert compare(old, new)[0].old_count == 20
    assert compare(drawn(1, 500.0), drawn(2, 500.0, cases="z")) == []


def test_reports_without_single_times_are_compared_by_their_results():
    old = {"samples": [{"results": {"ttft_ms": 900, "tokens_per_sec": "fast"}}]}
    (found,) = compare(old, {"samples": [{"results": {"ttft_ms": 450, "tokens_per_sec": 30}}]})

    assert (found.figure, found.change, found.verdict) == ("TTFT p50", -0.5, "no single times")


def test_without_single_times_only_the_same_workloads_are_compared():
    def results(**firsts):
        samples = [{"workload": n, "results": {"ttft_ms": v}} for n, v in firsts.items()]
        return {"samples": samples}

    old, new = results(a=100, b=9), results(a=50, c=7)

    (found,) = compare(old, new)
    assert (found.old, found.new) == (100, 50)
    assert only_in_one(old, new) == ["b", "c"]
    assert compare(results(b=9), results(c=7)) == []


def test_a_report_with_single_times_is_compared_with_one_without_by_its_samples():
    old = {"samples": [{"workload": "chat.w", "results": {"ttft_ms": 200}}]}
    found = compare(old, drawn(1, 100.0))

    assert found[0].verdict == "no single times"
    assert only_in_one(old, drawn(1, 100.0)) == []


def test_what_was_nothing_has_no_change():
    old, new = (run([record(ttft=value) for _ in range(9)]) for value in (0.0, 5.0))
    found = compare(old, new)[0]

    assert (found.change, found.verdict) == (None, "too few to tell")
