import pytest

from control.allowance import BURST, CALLS_PER_SECOND, Allowance


def test_a_burst_is_taken_and_then_no_more_than_the_rate():
    allowance = Allowance(since=0.0)
    assert all(allowance.take(now=0.0) for _ in range(int(BURST)))
    assert not allowance.take(now=0.0)

    taken = sum(allowance.take(now=tick / 1_000) for tick in range(1, 10_001))
    assert taken == pytest.approx(10 * CALLS_PER_SECOND, abs=1)


def test_rest_refills_it_to_a_burst_and_no_further():
    allowance = Allowance(since=0.0, left=0.0)

    assert sum(allowance.take(now=1e6) for _ in range(1_000)) == BURST
