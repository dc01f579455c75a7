from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.pace import Rhythm, pace

FLEETS = st.integers(0, 1_000_000)
SHARES = st.floats(0, 1)


def test_a_small_fleet_beats_as_configured():
    told = pace(Rhythm(interval=5.0, lease_intervals=3), hosts=10, jitter=0.0)

    assert (told.interval, told.lease) == (5.0, 15.0)


@given(FLEETS, SHARES)
def test_the_fleet_never_exceeds_500_beats_a_second(hosts, jitter):
    assert hosts / pace(Rhythm(), hosts, jitter).interval <= 500.0001


@given(FLEETS, SHARES, st.floats(1, 100_000))
def test_the_cap_is_the_operators(hosts, jitter, cap):
    rhythm = Rhythm(beats_per_second=cap)

    assert hosts / pace(rhythm, hosts, jitter).interval <= cap * 1.0001


@given(FLEETS, SHARES)
def test_jitter_is_early_never_late(hosts, jitter):
    steady, jittered = (pace(Rhythm(), hosts, j) for j in (0.0, jitter))

    assert 0.9 * steady.interval - 1e-9 <= jittered.interval <= steady.interval
    assert jittered.lease == steady.lease == 3 * steady.interval


@pytest.mark.parametrize("hosts", [0, 1, 50, 100])
def test_below_100_hosts_everybody_is_back_within_3_seconds(hosts):
    assert pace(Rhythm(), hosts, 0.5).reconnect_window <= 3.0


def test_the_window_grows_with_the_fleet():
    windows = [pace(Rhythm(), hosts, 0.5).reconnect_window for hosts in (1, 100, 1_000, 10_000)]

    assert all(a < b for a, b in pairwise(windows))
    assert windows[-1] <= 60
