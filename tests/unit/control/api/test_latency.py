from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.latency import BOUNDS, BUCKETS, bucket, quantile

SECONDS = st.floats(0.001, 800)


@pytest.mark.parametrize(
    ("seconds", "place"),
    [(0.0, 0), (-1.0, 0), (0.001, 0), (0.0011, 1), (0.002, 4), (1.024, 40), (900.0, 80), (1e9, 80)],
)
def test_a_latency_has_its_bucket(seconds, place):
    assert bucket(seconds) == place


def test_the_buckets_are_those_of_the_contract():
    assert len(BOUNDS) == BUCKETS - 1 == 80
    assert BOUNDS[40] == pytest.approx(1.024)


def test_nothing_has_no_quantile():
    assert quantile({}, 0.5) is None
    assert quantile({3: 0}, 0.5) is None


def test_what_takes_longer_than_all_bounds_is_told_as_the_last_bound():
    assert quantile({80: 1}, 0.5) == pytest.approx(BOUNDS[-1])


@given(st.lists(SECONDS, min_size=1), st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_a_quantile_is_within_ten_percent(latencies, share):
    found = quantile(Counter(map(bucket, latencies)), share)

    exact = sorted(latencies)[max(0, -int(-share * len(latencies) // 1) - 1)]
    assert found == pytest.approx(exact, rel=0.1)
