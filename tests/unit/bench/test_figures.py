import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import Spread, differences, percentile, ratios, spread


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7], 0.5, 7),
        ([1, 2, 3, 4], 0.5, 2),
        ([1, 2, 3, 4, 5], 0.5, 3),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 101)), 0.999, 100),
        (list(range(1, 1001)), 0.999, 999),
        ([1, 2], 0.0, 1),
        ([1, 2], 1.0, 2),
        ([], 0.5, None),
    ],
)
def test_a_percentile_is_a_measured_value(values, share, expected):
    assert percentile(values, share) == expected


@given(st.lists(st.integers(0, 10**12), min_size=1), st.floats(0, 1))
def test_the_share_that_a_percentile_promises_is_below_it(values, share):
    found = percentile(sorted(values), share)

    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) <= share * len(values) + 1e-6


@given(st.lists(st.integers(0, 10**6), min_size=1).filter(lambda values: len(values) % 2 == 1))
def test_the_median_is_the_middle_one(values):
    assert percentile(sorted(values), 0.5) == statistics.median(values)


def test_ratios_are_taken_inside_a_round():
    """The machine was twice as slow in round 2, for both."""
    ours, theirs = {1: 30.0, 2: 60.0, 3: 31.0}, {1: 15.0, 2: 30.0, 4: 15.0}

    assert ratios(ours, theirs) == [2.0, 2.0]


def test_a_round_in_which_they_did_nothing_has_no_ratio():
    assert ratios({1: 5.0}, {1: 0.0}) == []


def test_differences_are_taken_inside_a_round():
    assert differences({1: 5.0, 2: 9.0}, {2: 4.0, 3: 1.0}) == {2: 5.0}


def test_a_spread_is_median_least_and_greatest():
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([]) is None
