import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.ranking.speed import MAX_WEIGHT, UNMEASURED, Speed, believed, best, merged

POSITIVE = st.floats(0.01, 1e6)
SPEEDS = st.builds(
    Speed,
    prefill=st.none() | POSITIVE,
    decode=st.dictionaries(st.integers(1, 8), POSITIVE, max_size=4).map(
        lambda found: tuple(sorted(found.items()))
    ),
    load_s=st.none() | POSITIVE,
    slots=st.none() | st.integers(1, 64),
    samples=st.integers(1, 10**9),
)


def test_who_measured_more_counts_more():
    told = [Speed(prefill=100.0, samples=30), Speed(prefill=200.0, samples=10)]

    assert merged(told).prefill == 125.0


def test_nobody_counts_for_ever_more():
    told = [Speed(prefill=100.0, samples=10**9), Speed(prefill=200.0, samples=MAX_WEIGHT)]

    assert merged(told).prefill == 150.0


def test_what_one_alone_measured_is_kept():
    told = [Speed(load_s=3.0, samples=1), Speed(decode=((1, 40.0), (4, 20.0)), samples=2)]

    assert merged(told) == Speed(decode=((1, 40.0), (4, 20.0)), load_s=3.0, samples=3)


def test_what_was_measured_before_stands_for_what_is_not_told():
    before = Speed(prefill=100.0, decode=((1, 40.0), (4, 20.0)), load_s=60.0, samples=900)
    now = Speed(prefill=200.0, answer=0.0, samples=1)

    assert now.completed(before) == Speed(200.0, before.decode, 60.0, answer=0.0, samples=1)
    assert Speed(decode=((2, 9.0),), samples=1).completed(before).decode == ((2, 9.0),)
    assert before.completed(now) == Speed(100.0, before.decode, 60.0, answer=0.0, samples=900)


def test_too_few_slots_starve_an_engine_so_the_most_count():
    assert merged([Speed(slots=2, samples=9), Speed(slots=8, samples=1)]).slots == 8


@given(st.lists(SPEEDS, min_size=1, max_size=4))
def test_what_is_merged_lies_between_what_was_told(told):
    found = merged(told)
    for value, values in (
        (found.prefill, [one.prefill for one in told if one.prefill is not None]),
        (found.load_s, [one.load_s for one in told if one.load_s is not None]),
    ):
        assert (value is None) == (not values)
        if value is not None:
            assert min(values) * 0.999 <= value <= max(values) * 1.001
    assert [level for level, _ in found.decode] == sorted(
        {level for one in told for level, _ in one.decode}
    )


@given(SPEEDS)
def test_a_speed_is_like_itself_and_nothing_measured_is_like_nothing_else(speed):
    assert speed.is_like(speed)
    assert speed.is_like(UNMEASURED) == (speed == Speed(samples=speed.samples))


def test_who_was_never_measured_is_believed_to_be_as_fast_as_the_best_and_nobody_else_is():
    others = best(
        [
            Speed(500.0, ((4, 30.0),), 4.0, 100.0, samples=30),
            Speed(900.0, ((1, 40.0),), 9.0, 200.0, samples=10),
        ]
    )
    assert others.prefill == 900.0
    assert others.decode == ((1, pytest.approx(30.0 * 1.45)),)  # of which three less are written
    assert believed(UNMEASURED, others) == others
    assert believed(Speed(300.0), others) == Speed(300.0, others.decode, None, 125.0)
    assert best([]) == best([UNMEASURED]) == UNMEASURED
