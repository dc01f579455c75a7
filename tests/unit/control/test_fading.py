import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.latency import BOUNDS, BUCKETS, bucket
from control.fading import LEAST_WEIGHT, Fading
from control.measured import Counts

HALF_LIFE = 600.0


def streamed(seconds, times=1, **counts):
    return Counts({f"first_byte/{bucket(seconds)}": times, **counts})


def test_of_nothing_nothing_is_known():
    fading = Fading(HALF_LIFE, 0.0)

    assert (fading.latency(0.0), fading.speed(0.0)) == (None, None)


def test_one_answer_is_evidence_for_a_half_life():
    fading = Fading(HALF_LIFE, 0.0)
    fading.add(streamed(1.0, decoded_tokens=50, decode_us=1_000_000), 5.0)

    assert fading.latency(5.0 + HALF_LIFE) == pytest.approx(1.0, rel=0.1)
    assert fading.speed(5.0 + HALF_LIFE) == 50.0
    assert fading.latency(6.0 + HALF_LIFE) is None
    assert fading.speed(6.0 + HALF_LIFE) is None


def test_new_answers_outweigh_old_ones_that_are_more():
    fading = Fading(HALF_LIFE, 0.0)
    fading.add(streamed(0.2, 100, decoded_tokens=100, decode_us=1_000_000), 0.0)
    fading.add(streamed(2.0, 30, decoded_tokens=10, decode_us=1_000_000), 0.0)
    assert fading.latency(0.0) == pytest.approx(0.2, rel=0.1)

    fading.add(streamed(2.0, 30, decoded_tokens=10, decode_us=1_000_000), 3 * HALF_LIFE)

    assert fading.latency(3 * HALF_LIFE) == pytest.approx(2.0, rel=0.1)
    assert fading.speed(3 * HALF_LIFE) == pytest.approx((110 / 8 + 10) / (2 / 8 + 1))


def test_what_is_not_streamed_tells_nothing():
    fading = Fading(HALF_LIFE, 0.0)
    fading.add(Counts(answered=9, completion_tokens=900, prompt_tokens=9), 0.0)

    assert (fading.latency(0.0), fading.speed(0.0)) == (None, None)


def test_streams_without_a_count_of_tokens_tell_their_latency_only():
    fading = Fading(HALF_LIFE, 0.0)
    fading.add(streamed(1.0, 100), 0.0)

    assert fading.latency(0.0) is not None
    assert fading.speed(0.0) is None


@pytest.mark.parametrize("pause", [31 * HALF_LIFE, 1e6 * HALF_LIFE, 1e300])
def test_after_any_pause_only_what_is_new_counts(pause):
    fading = Fading(HALF_LIFE, 0.0)
    fading.add(streamed(0.1, 2**53, decoded_tokens=2**53, decode_us=1), 0.0)
    fading.add(streamed(2.0, 2**30, decoded_tokens=2**30, decode_us=2**30 * 10**6), pause)

    if pause > 100 * HALF_LIFE:
        assert fading.latency(pause) == pytest.approx(2.0, rel=0.1)
        assert fading.speed(pause) == pytest.approx(1.0)
    assert math.isfinite(fading.speed(pause))


steps = st.lists(
    st.tuples(
        st.floats(0, 50 * HALF_LIFE),  # since the step before
        st.integers(0, BUCKETS - 1),
        st.integers(1, 2**53),
        st.integers(0, 2**53),
        st.integers(0, 2**53),
    ),
    min_size=1,
    max_size=20,
)


@given(steps)
def test_what_is_known_lies_within_what_was_measured_and_fades(steps):
    now = 0.0
    fading = Fading(HALF_LIFE, now)
    for pause, place, times, tokens, decode_us in steps:
        now += pause
        counts = Counts({f"first_byte/{place}": times, "decoded_tokens": tokens})
        fading.add(counts + Counts(decode_us=decode_us), now)
        latency, speed = fading.latency(now), fading.speed(now)

        assert latency is not None  # a whole request is evidence
        assert speed is None or (math.isfinite(speed) and speed >= 0)
    places = [place for _, place, *_ in steps]
    edges = (0.0, *BOUNDS, math.inf)
    assert edges[min(places)] <= latency <= edges[max(places) + 1]
    most = sum(times for _, _, times, *_ in steps)
    later = now + HALF_LIFE * (math.log2(most / LEAST_WEIGHT) + 1)
    assert (fading.latency(later), fading.speed(later)) == (None, None)
