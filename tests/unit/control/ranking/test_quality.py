from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.ranking.presets import LEGACY, SEED
from control.ranking.quality import CORRECTNESS, Outcome, outcome, quality
from tests.unit.control.ranking.trials import GOOD


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
    assert quality(outcome(results), LEGACY.benchmark) == pytest.approx(expected, abs=5.1e-5)


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
    assert quality(outcome(results), SEED.benchmark) == pytest.approx(expected)


@pytest.mark.parametrize("name", CORRECTNESS)
def test_every_measure_of_correctness_counts(name):
    assert quality(outcome({name: 1.0}), LEGACY.benchmark) == 0.65


@given(st.sampled_from([SEED, LEGACY]), st.floats(0, 1), st.floats(0, 1), st.floats(0, 500))
def test_a_better_result_is_never_of_less_quality(scoring, one, other, rate):
    low, high = sorted((one, other))

    def with_pass_rate(share):
        return quality(Outcome(share, rate), scoring.benchmark)

    assert with_pass_rate(low) <= with_pass_rate(high)
    assert quality(Outcome(right=0.0), SEED.benchmark) <= quality(Outcome(wait=1), SEED.benchmark)
