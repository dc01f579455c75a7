"""A number is learned, whatever odd samples come in between."""

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.estimate import Estimate

ANY = st.floats() | st.floats(1e-320, 1e300)


def estimate(weight=0.1):
    return Estimate(0.01, 1e5, weight)


def test_the_first_sample_is_believed():
    one = estimate()
    assert one.value == 0.0

    one.learn(50.0)

    assert one.value == 50.0


def test_what_was_told_is_a_start_and_no_more():
    one = estimate()
    one.tell(500.0)
    assert (one.value, one.mass) == (500.0, 0.0)

    one.learn(50.0)
    one.tell(500.0)

    assert 50.0 < one.value < 200.0


@pytest.mark.parametrize("weight", [0.1, 0.2])
@pytest.mark.parametrize("wrong", [0.1, 10.0])
def test_a_start_that_is_ten_times_wrong_is_forgotten_after_20_samples(weight, wrong):
    one = estimate(weight)
    one.tell(50.0 * wrong)

    for _ in range(20):
        one.learn(50.0)

    assert one.value == pytest.approx(50.0, rel=0.1)


@pytest.mark.parametrize("wrong", [0.1, 10.0])
def test_a_change_is_followed_after_many_samples(wrong):
    one = estimate(0.2)
    for _ in range(1_000):
        one.learn(50.0)

    for _ in range(20):
        one.learn(50.0 * wrong)

    assert one.value == pytest.approx(50.0 * wrong, rel=0.1)


def test_a_sample_of_little_worth_counts_little():
    one, other = estimate(), estimate()
    one.learn(50.0)
    other.learn(50.0)

    one.learn(100.0, 0.1)
    other.learn(100.0)

    assert 50.0 < one.value < other.value


@given(st.lists(st.tuples(ANY, ANY | st.floats(0, 1))), ANY | st.none())
def test_it_stays_in_range_whatever_comes(samples, told):
    one = estimate()
    one.tell(told)

    for sample, worth in samples:
        one.learn(sample, worth)
        one.tell(sample)

        assert one.value == 0.0 or 0.01 <= one.value <= 1e5


@given(ANY, st.floats(0.01, 1e5))
def test_one_odd_sample_moves_it_by_a_bounded_factor(odd, value):
    one = estimate()
    one.tell(value)

    one.learn(odd)

    assert value / 3.2 <= one.value <= value * 3.2
    assert isfinite(one.mass)
