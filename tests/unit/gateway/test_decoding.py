"""How fast one of several answers is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decoding import LEVELS, Decoding, slower

ANY = st.floats() | st.floats(1e-320, 1e300)
COUNTS = st.integers(-(2**70), 2**70) | st.integers(-1, 300)


def test_nothing_is_known_at_first():
    decoding = Decoding()

    assert decoding.token_s(1) is None
    assert decoding.alone == 0.0
    assert list(decoding.known(own=False)) == []


def test_what_was_measured_is_told_as_it_is():
    decoding = Decoding()

    decoding.learn(80.0, 1)
    decoding.learn(20.0, 8)

    assert decoding.token_s(1) == pytest.approx(1 / 80)
    assert decoding.token_s(8) == pytest.approx(1 / 20)
    assert list(decoding.known(own=True)) == [(1, 80.0), (8, 20.0)]


def test_in_between_the_nearest_one_tells():
    decoding = Decoding()

    decoding.learn(80.0, 1)
    decoding.learn(20.0, 8)

    assert decoding.token_s(2) == pytest.approx(1.15 / 80)
    assert decoding.token_s(6) == pytest.approx(1 / 20 * slower(6) / slower(8))


def test_alone_it_is_faster_than_beside_others():
    decoding = Decoding()

    decoding.learn(20.0, 4)

    assert decoding.alone == pytest.approx(20.0 * 1.45)


def test_news_are_not_hidden_by_what_was_asked_before():
    decoding = Decoding()
    decoding.learn(80.0, 1)
    assert decoding.token_s(8) == pytest.approx(slower(8) / 80)

    decoding.learn(20.0, 8)

    assert decoding.token_s(8) == pytest.approx(1 / 20)


def test_what_was_told_counts_where_nothing_was_measured():
    decoding = Decoding()
    decoding.learn(80.0, 1)

    decoding.tell([(1, 10.0), (8, 20.0), (2, float("nan"))])

    assert list(decoding.known(own=False)) == [(1, 80.0), (8, 20.0)]
    assert list(decoding.known(own=True)) == [(1, 80.0)]


def test_so_many_levels_fit_into_what_is_told():
    decoding = Decoding()

    for concurrency in range(1, 1_000):
        decoding.learn(20.0, concurrency)

    assert [level for level, _ in decoding.known(own=True)] == list(LEVELS)
    assert len(LEVELS) == 16


@given(st.lists(st.tuples(ANY, COUNTS)), st.lists(st.tuples(COUNTS, ANY)), COUNTS)
def test_seconds_are_in_range_whatever_comes(learned, told, concurrency):
    decoding = Decoding()

    decoding.tell(told)
    for rate, beside in learned:
        decoding.learn(rate, beside)
    seconds = decoding.token_s(concurrency)

    assert seconds is None or 1e-7 < seconds < 1e5
