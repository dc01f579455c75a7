from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.inventory import Asset, Operation
from control.ranking.benchmarks import evidence, query
from control.ranking.overlap import recall, words
from control.ranking.presets import LEGACY, SEED, Runs
from control.ranking.quality import Outcome, quality
from control.ranking.runs import MAX_WORKLOADS, Run, collapsed, fades_at, findings, freshness
from tests.unit.control.ranking.trials import found, run

ASSET = Asset("qwen", (Operation.CHAT,), digest="d1")
DAY = 86_400.0
BEST = replace(SEED, benchmark=replace(SEED.benchmark, runs=Runs.BEST))


def rated(share, observed_at=0.0, workload="w"):
    return Run("", workload, observed_at, "", Outcome(share))


@pytest.mark.parametrize(("digest", "counts"), [("", True), ("d1", True), ("d0", False)])
def test_only_runs_of_the_same_weights_count(digest, counts):
    told = found(ASSET, run(digest=digest))

    assert (len(told.found), told.replaced) == (counts, not counts)


def test_without_known_weights_all_runs_count():
    assert found(replace(ASSET, digest=""), run(digest="d0")).replaced == 0


@pytest.mark.parametrize(
    ("days", "weight"),
    [(0, 1), (7.4, 1), (7.5, 0.5**0.25), (15, 0.5**0.5), (30, 0.5), (60, 0.25)],
)
def test_runs_fade_in_steps_by_their_half_life(days, weight):
    assert freshness(days * DAY, 30 * DAY) == pytest.approx(weight)


def test_after_ten_half_lives_a_run_does_not_count():
    assert freshness(299.9 * DAY, 30 * DAY) > 0
    assert freshness(300 * DAY, 30 * DAY) == freshness(1e300, 60.0) == 0
    assert found(ASSET, run(), now=300 * DAY).found == ()


def test_a_run_of_the_future_is_fresh_and_legacy_ones_never_age():
    assert freshness(-5.0, 60.0) == 1
    assert freshness(1e12, LEGACY.benchmark.half_life) == 1


def test_of_several_runs_of_a_workload_the_newest_counts():
    (told,) = found(ASSET, rated(1.0), rated(0.2, 60.0), rated(0.9, 30.0), now=60.0).found

    assert told.quality == quality(Outcome(0.2), SEED.benchmark)
    assert (told.count, told.observed_at) == (1, 60.0)


def test_of_runs_of_the_very_same_time_the_mean_counts():
    (told,) = found(ASSET, rated(1.0), rated(0.2)).found

    assert told.quality == pytest.approx(quality(Outcome(0.6), SEED.benchmark))
    assert told.count == 2


def test_by_legacy_the_best_run_of_any_age_counts():
    (told,) = found(ASSET, rated(0.9), rated(0.2, 60.0), scoring=LEGACY, now=60.0).found

    assert told.quality == quality(Outcome(0.9), LEGACY.benchmark)
    assert (told.count, told.observed_at) == (2, 60.0)


def test_an_older_better_run_gives_way_to_a_newer_one_as_it_fades():
    runs = rated(0.9), rated(0.6, 29 * DAY)

    def then(now):
        (told,) = found(ASSET, *runs, scoring=BEST, now=now).found
        return told.quality

    assert then(29 * DAY) == quality(Outcome(0.6), BEST.benchmark)
    assert then(0.0) == quality(Outcome(0.9), BEST.benchmark)


def test_only_so_many_workloads_count_the_newest():
    runs = [rated(0.5, float(n), f"w{n}") for n in range(MAX_WORKLOADS + 1)]
    told = found(ASSET, *runs, now=100.0).found

    assert len(told) == MAX_WORKLOADS
    assert "w0" not in {one.workload for one in told}


RUNS = st.lists(
    st.builds(
        Run,
        st.just(""),
        st.sampled_from(["chat.a", "chat.b", "c"]),
        st.integers(0, 400).map(lambda days: days * DAY),
        st.sampled_from(["", "d0", "d1"]),
        st.builds(Outcome, st.none() | st.floats(0, 1), st.none() | st.floats(0, 90)),
    ),
    max_size=12,
)


@given(RUNS, st.sampled_from([LEGACY, BEST]), st.integers(0, 500))
def test_collapsed_runs_say_what_all_of_them_would(runs, scoring, days):
    now, benchmark = days * DAY, scoring.benchmark
    asked = query(["chat"], ["c"], scoring)
    told = evidence(found(ASSET, *runs, scoring=scoring, now=now), asked, benchmark, now)
    # Independent maxima over all runs, none of which was left out before.
    weighed = [
        (
            freshness(now - one.observed_at, benchmark.half_life),
            1.0 if one.workload == "c" else recall(asked.words, words(one.workload)),
            quality(one.outcome, benchmark),
        )
        for one in runs
        if one.digest != "d0"
    ]
    weighed = [(weight, fit, good) for weight, fit, good in weighed if fit]

    assert told.overlap == max((weight * fit for weight, fit, _ in weighed), default=0.0)
    assert told.quality == max((weight * good for weight, _, good in weighed), default=0.0)


@given(RUNS, st.sampled_from([SEED, BEST]), st.integers(0, 500), st.floats(0, 1))
def test_nothing_changes_before_the_time_that_is_told(runs, scoring, days, share):
    now, half_life = days * DAY, scoring.benchmark.half_life
    each = {"c": collapsed(runs, "d1", scoring.benchmark)}
    until = fades_at(each, half_life, now)
    later = now + share * min(until - now, 1e9) * 0.999

    assert until > now
    assert findings(each, scoring, later) == findings(each, scoring, now)


def test_what_does_not_count_or_never_ages_never_fades():
    each = {"w": collapsed([rated(0.5)], "", SEED.benchmark)}

    assert fades_at(each, 60.0, 600.0) == fades_at(each, inf, 0.0) == inf
    assert fades_at(each, 60.0, 1.0) == 15.0
