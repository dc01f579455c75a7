from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.inventory import Asset, Operation
from control.ranking.benchmarks import (
    CORRECTNESS,
    NO_EVIDENCE,
    Query,
    Sample,
    evidence,
    findings,
    freshness,
    quality,
    query,
)
from control.ranking.presets import LEGACY, SEED

ASSET = Asset("qwen", (Operation.CHAT,), digest="d1")
DAY = 86_400.0
GOOD = {"quality_score": 0.9, "tokens_per_sec": 30, "ttft_ms": 900}


def sample(workload="chat.short_reasoning", results=GOOD, observed_at=0.0, **of):
    asked = {"service_id": "h/s", "asset_id": "", "digest": ""} | of
    return Sample(**asked, workload=workload, observed_at=observed_at, results=results)


def found(*samples, scoring=LEGACY, now=0.0):
    return findings(samples, "h/s", ASSET, scoring, now)


def said(wanted, *samples, scoring=LEGACY):
    return evidence(found(*samples, scoring=scoring), wanted, scoring.benchmark)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({}, 0),
        ({"pass_rate": 1.0}, 0.65),
        ({"pass_rate": 1.0, "tokens_per_sec": 80, "ttft_ms": 400}, 1.0),
        (GOOD, 0.8563),
        ({"tokens_per_sec": 40, "ttft_ms": 800}, 0.9),
        ({"pass_rate": 0.3, "quality_score": 0.8}, 0.52),
        ({"ttft_ms": 500}, 0.5),
        ({"ttft_ms": 501}, 0.4),
        ({"ttft_ms": 2_500}, 0.25),
        ({"ttft_ms": 2_501}, 0.1),
        ({"tokens_per_sec": 10}, 0.125),
        ({"pass_rate": "1.0"}, 0),
        ({"pass_rate": True}, 0.65),
        # The first GenieHive made -1 of it; what cannot have been measured is unknown here.
        ({"tokens_per_sec": -80}, 0),
    ],
    ids=str,
)
def test_quality_by_legacy_is_what_it_was(results, expected):
    assert quality(results, LEGACY.benchmark) == pytest.approx(expected, abs=5.1e-5)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({}, 0),
        ({"pass_rate": 1.0}, 0.65 * 1 + 0.35 * 0.5),
        ({"pass_rate": 0.0}, 0.65 * 0 + 0.35 * 0.5),
        # Each half of speed that is not told counts one half as well.
        ({"tokens_per_sec": 40}, 0.65 * 0.5 + 0.35 * (1.0 + 0.5) / 2),
        ({"tokens_per_sec": 20}, 0.65 * 0.5 + 0.35 * (0.5 + 0.5) / 2),
        ({"ttft_ms": 2_501}, 0.65 * 0.5 + 0.35 * (0.5 + 0.2) / 2),
        ({"pass_rate": 1, "tokens_per_sec": 80, "ttft_ms": 400}, 0.65 * 1 + 0.35 * (1 + 1) / 2),
        (GOOD, 0.65 * 0.9 + 0.35 * (30 / 40 + 0.8) / 2),
        ({"pass_rate": 7}, 0.65 * 1 + 0.35 * 0.5),
        ({"pass_rate": nan, "ttft_ms": inf, "tokens_per_sec": -1}, 0),
        ({"pass_rate": None, "ttft_ms": [], "tokens_per_sec": "fast"}, 0),
        ({"tokens_per_sec": 10**400}, 0.65 * 0.5 + 0.35 * (1.0 + 0.5) / 2),
    ],
    ids=str,
)
def test_quality_by_seed_is_correctness_and_speed_each_one_half_when_unknown(results, expected):
    assert quality(results, SEED.benchmark) == pytest.approx(expected)


@pytest.mark.parametrize("name", CORRECTNESS)
def test_every_measure_of_correctness_counts(name):
    assert quality({name: 1.0}, LEGACY.benchmark) == 0.65


@given(st.sampled_from([SEED, LEGACY]), st.floats(0, 1), st.floats(0, 1), st.floats(0, 500))
def test_a_better_result_is_never_of_less_quality(scoring, one, other, rate):
    low, high = sorted((one, other))

    def with_pass_rate(share):
        return quality({"pass_rate": share, "tokens_per_sec": rate}, scoring.benchmark)

    assert with_pass_rate(low) <= with_pass_rate(high)
    assert quality({"pass_rate": 0.0}, SEED.benchmark) <= quality({"ttft_ms": 1}, SEED.benchmark)


def test_the_name_of_a_workload_fits_wholly_and_its_words_in_part():
    # 2 of the 4 words asked for are in the name: chat, short.
    asked = query(["short chat about boats"], [], LEGACY)

    assert said(asked, sample("chat.short_reasoning")).overlap == 2 / 4
    assert said(query([], ["chat.short_reasoning"], LEGACY), sample()).overlap == 1


def test_a_workload_that_has_nothing_of_what_is_asked_for_does_not_count():
    assert said(query(["poems"], [], LEGACY), sample()) == NO_EVIDENCE


def test_everything_counts_when_nothing_special_is_asked_for():
    # Nothing fits nothing, so that only quality is left: legacy 0.45 x 0.85625.
    told = said(Query(frozenset(), frozenset()), sample(), sample("vision.boats"))

    assert (told.count, told.overlap) == (2, 0)
    assert told.value == pytest.approx(0.45 * 0.85625)


@pytest.mark.parametrize(("scoring", "mix"), [(LEGACY, (0.55, 0.45)), (SEED, (0.45, 0.55))])
def test_the_value_mixes_the_best_fit_and_the_best_quality(scoring, mix):
    fits, good = sample(results={"pass_rate": 0.1}), sample("short", {"pass_rate": 1.0})
    told = said(query(["short"], ["chat.short_reasoning"], scoring), fits, good, scoring=scoring)

    assert told.count == 2
    assert told.overlap == 1
    assert told.quality == quality({"pass_rate": 1.0}, scoring.benchmark)
    assert told.value == pytest.approx(mix[0] * 1 + mix[1] * told.quality)


@pytest.mark.parametrize(
    ("of", "counts"),
    [
        ({}, True),
        ({"asset_id": "qwen"}, True),
        ({"asset_id": "qwen", "digest": "d1"}, True),
        ({"asset_id": "qwen", "digest": "d0"}, False),
        ({"asset_id": "llama"}, False),
        ({"service_id": "h/t"}, False),
    ],
    ids=["service", "asset", "same-weights", "other-weights", "other-asset", "other-service"],
)
def test_only_samples_of_the_same_weights_count(of, counts):
    assert len(found(sample(**of))) == counts


@pytest.mark.parametrize(
    ("days", "weight"),
    [(0, 1), (7.4, 1), (7.5, 0.5**0.25), (15, 0.5**0.5), (30, 0.5), (60, 0.25), (1e300, 0)],
)
def test_samples_fade_in_steps_by_their_half_life(days, weight):
    assert freshness(days * DAY, 30 * DAY) == pytest.approx(weight)


def test_a_sample_of_the_future_is_fresh_and_legacy_ones_never_age():
    assert freshness(-5.0, 60.0) == 1
    assert freshness(1e12, LEGACY.benchmark.half_life) == 1


def test_an_old_sample_says_half_of_what_it_said():
    month = found(sample(), scoring=SEED, now=30 * DAY)
    anything = Query(frozenset(["chat.short_reasoning"]), frozenset(["chat"]))
    fresh = evidence(found(sample(), scoring=SEED), anything, SEED.benchmark)
    old = evidence(month, anything, SEED.benchmark)

    assert old.value == pytest.approx(fresh.value / 2)
    assert (old.count, old.overlap) == (1, 0.5)


@given(
    st.lists(
        st.builds(
            sample,
            st.sampled_from(["chat.a", "chat.b", "c"]),
            st.dictionaries(
                st.sampled_from([*CORRECTNESS, "tokens_per_sec", "ttft_ms"]),
                st.floats() | st.integers() | st.text(max_size=3) | st.none() | st.booleans(),
            ),
            st.floats(-1e9, 1e9),
        ),
        max_size=8,
    ),
    st.sampled_from([SEED, LEGACY, replace(SEED, ascii_words=True)]),
    st.randoms(use_true_random=False),
)
def test_evidence_is_within_0_and_1_and_independent_of_order(samples, scoring, random):
    asked = query(["chat a"], ["c"], scoring)
    told = evidence(found(*samples, scoring=scoring), asked, scoring.benchmark)
    random.shuffle(samples)

    assert all(0 <= one <= 1 for one in (told.overlap, told.quality, told.value))
    assert evidence(found(*samples, scoring=scoring), asked, scoring.benchmark) == told
