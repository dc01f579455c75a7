"""Of equals, the least loaded serves next."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.balance import SCAN_AT_MOST, least_loaded


@given(st.lists(st.integers(0, 9), min_size=1, max_size=SCAN_AT_MOST))
def test_few_are_all_looked_at(loads):
    assert least_loaded(range(len(loads)), loads.__getitem__, random.random) == loads.index(
        min(loads)
    )


@given(st.integers(SCAN_AT_MOST + 1, 1_000), st.floats(0, 1, exclude_max=True))
def test_of_many_two_different_ones_are_looked_at(count, draw):
    seen = []

    def load(one):
        seen.append(one)
        return one

    assert least_loaded(range(count), load, lambda: draw) == min(seen)
    assert len(set(seen)) == 2
    assert all(0 <= one < count for one in seen)


@pytest.mark.parametrize("count", [2, 5, 50])
def test_load_spreads(count):
    """No service is left out, and none has twice its share."""
    loads = [0] * count
    draw = random.Random(1)
    for _ in range(100 * count):
        loads[least_loaded(range(count), loads.__getitem__, draw.random)] += 1

    assert max(loads) <= 110
    assert min(loads) >= 80
