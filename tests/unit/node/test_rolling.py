import math
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.engines.sight import Counters, Histogram
from node.rolling import APART_SECONDS, MAX_SECONDS, UNMEASURED, WINDOW_SECONDS, Rates, Rolling

BOUNDS = (0.1, 1.0, 10.0, math.inf)


def counted(tokens, seconds):
    return Counters(generated_tokens=tokens, generation_seconds=seconds)


def waited(*counts, bounds=BOUNDS):
    return Counters(latency=Histogram(bounds, tuple(accumulate(counts))))


def rates(*told, apart=5.0):
    """Return the rates after all that was told, one every `apart` seconds."""
    rolling, found = Rolling(), UNMEASURED
    for number, counters in enumerate(told):
        found = rolling.take(counters, 100 + number * apart)
    return found


def test_the_first_totals_tell_no_rate():
    assert rates(Counters(900, 10, 900, 10, Histogram(BOUNDS, (1, 2, 3, 4)))) == UNMEASURED


def test_tokens_count_by_the_seconds_that_answers_took():
    told = rates(Counters(100, 10, 1000, 1), Counters(160, 12, 5000, 2))

    assert told == Rates(tokens_per_second=30, prompt_tokens_per_second=4000)


def test_percentiles_are_of_the_window_alone():
    """The ten slow answers of before do not count."""
    told = rates(waited(0, 0, 10, 0), waited(10, 10, 10, 0))

    assert told.latency_p50 == pytest.approx(0.1)
    assert told.latency_p95 == pytest.approx(0.91)


def test_percentiles_of_first_tokens_are_told_apart():
    first_token = Histogram(BOUNDS, (0, 0, 0, 0)), Histogram(BOUNDS, (4, 4, 4, 4))
    told = rates(*(Counters(first_token=one) for one in first_token))

    assert told == Rates(first_token_p50=pytest.approx(0.05), first_token_p95=pytest.approx(0.095))


def test_what_is_above_all_bounds_took_at_least_the_last():
    assert rates(waited(0, 0, 0, 0), waited(0, 0, 0, 5)).latency_p50 == 10


def test_bounds_need_not_be_infinite_at_the_end():
    told = rates(waited(0, 0, bounds=(1.0, 2.0)), waited(0, 2, bounds=(1.0, 2.0)))

    assert told.latency_p50 == 1.5


@pytest.mark.parametrize(
    "after",
    [
        counted(100, 10),
        counted(110, 10),
        counted(100, 12),
        counted(1e9, 10.001),
        counted(None, None),
        counted(120, None),
        None,
    ],
    ids=["nothing", "no-time", "no-tokens", "absurd", "missing", "half-missing", "no-metrics"],
)
def test_without_tokens_in_some_time_there_is_no_rate(after):
    assert rates(counted(100, 10), after) == UNMEASURED


@pytest.mark.parametrize(
    "after",
    [
        waited(1, 2, 3, 0),
        waited(9, 9, 9, 9, bounds=(0.1, 1.0, 20.0, math.inf)),
        waited(9, 9, 9, bounds=(0.1, 1.0, math.inf)),
        waited(0, 2, 3, 9),
        Counters(),
    ],
    ids=["nothing", "other-bounds", "fewer-bounds", "a-bucket-falls", "missing"],
)
def test_without_answers_that_compare_there_is_no_latency(after):
    assert rates(waited(1, 2, 3, 0), after) == UNMEASURED


def test_only_infinite_time_is_no_time():
    told = rates(waited(0, bounds=(math.inf,)), waited(3, bounds=(math.inf,)))

    assert told == UNMEASURED


def test_a_latency_that_control_would_refuse_is_none():
    bounds = (MAX_SECONDS * 3, math.inf)

    assert rates(waited(0, 0, bounds=bounds), waited(3, 0, bounds=bounds)) == UNMEASURED


def test_a_restart_starts_anew():
    """What falls in one place makes the others unknown: they are of another life as well."""
    before = Counters(500, 50, 100, 1)

    assert rates(before, Counters(900, 60, 10, 0.1)) == UNMEASURED
    after = rates(before, Counters(900, 60, 10, 0.1), Counters(920, 61, 30, 0.2))
    assert after.tokens_per_second == pytest.approx(20)
    assert after.prompt_tokens_per_second == pytest.approx(200)


def test_a_look_without_metrics_leaves_what_is_recent():
    rolling = Rolling()
    rolling.take(counted(0, 0), 0)
    rolling.take(counted(60, 2), 10)

    assert rolling.take(None, 40).tokens_per_second == 30
    assert rolling.take(None, 10 + WINDOW_SECONDS + 1) == UNMEASURED


def test_the_window_moves_along():
    rolling, told = Rolling(), UNMEASURED
    for second in range(0, 600, 5):
        slow = second <= 300
        tokens = second * 10 if slow else 3000 + (second - 300) * 50
        told = rolling.take(counted(tokens, float(second)), second)

    assert told.tokens_per_second == 50


def test_a_server_that_did_nothing_for_a_minute_is_unmeasured():
    told = rates(counted(0, 0), counted(60, 2), *[counted(60, 2)] * 13)

    assert told == UNMEASURED


def test_a_clock_that_is_set_back_starts_anew():
    rolling = Rolling()
    rolling.take(counted(0, 0), 1000)

    assert rolling.take(counted(10, 1), 10) == UNMEASURED
    assert rolling.take(counted(40, 2), 15).tokens_per_second == 30


def test_a_clock_that_leaps_starts_anew():
    rolling = Rolling()
    rolling.take(counted(0, 0), 10)

    assert rolling.take(counted(10, 1), 1e6) == UNMEASURED


def test_however_often_one_looks_little_is_kept():
    rolling = Rolling()
    for look in range(2_000):
        rolling.take(counted(look, look / 10), look * 0.1)

    kept = len(rolling._generated._taken)
    assert kept <= WINDOW_SECONDS / APART_SECONDS + 2
    assert rolling.take(counted(2_000, 200), 200).tokens_per_second == pytest.approx(10)


AMOUNTS = st.floats(0, 1e12) | st.integers(0, 100).map(float)
HISTOGRAMS = st.lists(AMOUNTS, min_size=1, max_size=5).map(
    lambda counts: Histogram((*map(float, range(1, len(counts))), math.inf), tuple(sorted(counts)))
)
COUNTERS = st.builds(
    Counters,
    *[st.none() | AMOUNTS] * 4,
    latency=st.none() | HISTOGRAMS,
    first_token=st.none() | HISTOGRAMS,
)


@given(st.lists(st.tuples(st.none() | COUNTERS, st.floats(-100, 1000)), max_size=20))
def test_whatever_is_told_rates_are_what_control_takes(looks):
    rolling = Rolling()
    for counters, now in looks:
        told = rolling.take(counters, now)

        speeds = (told.tokens_per_second, told.prompt_tokens_per_second)
        assert all(speed is None or 0 < speed <= 1e6 for speed in speeds)
        for half, most in (
            (told.latency_p50, told.latency_p95),
            (told.first_token_p50, told.first_token_p95),
        ):
            assert (half is None) == (most is None)
            assert half is None or 0 < half <= most * (1 + 1e-9) <= MAX_SECONDS


@given(st.lists(st.floats(0.001, 9.9), min_size=1, max_size=200))
def test_a_percentile_is_in_the_bucket_of_the_real_one(times):
    """However it lies within, no more is known."""
    counts = tuple(float(sum(time <= bound for time in times)) for bound in BOUNDS)
    rolling = Rolling()
    rolling.take(Counters(latency=Histogram(BOUNDS, (0.0,) * len(BOUNDS))), 0)
    told = rolling.take(Counters(latency=Histogram(BOUNDS, counts)), 5)

    real = sorted(times)[math.ceil(len(times) / 2) - 1]
    begin, end = next((low, high) for low, high in pairwise((0.0, *BOUNDS)) if real <= high)
    assert begin <= told.latency_p50 <= end
