"""What of an asset is the same wherever it is served."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.assets import Asset


@dataclass(eq=False, slots=True, weakref_slot=True)
class Served:
    reads: float = 0.0
    writes: float = 0.0


def served(asset, *speeds):
    found = [Served(*speed) for speed in speeds]
    for one in found:
        asset.served.add(one)
        asset.changed(one)
    return found


def test_the_fastest_at_each_counts():
    asset = Asset()

    held = served(asset, (1_000.0, 10.0), (500.0, 50.0), (0.0, 0.0))

    assert (asset.reads, asset.writes) == (1_000.0, 50.0)
    assert held


def test_who_was_the_fastest_is_forgotten_when_it_is_slower_or_gone():
    asset = Asset()
    slow, fast, gone = served(asset, (1_000.0, 10.0), (2_000.0, 20.0), (3_000.0, 30.0))
    del gone

    fast.reads, fast.writes = 100.0, 1.0
    for _ in range(20):
        asset.changed(slow)

    assert (asset.reads, asset.writes) == (1_000.0, 10.0)


def test_the_first_answers_count_the_same():
    asset = Asset()

    for tokens in (10, 400, 90, 300):
        asset.written(tokens)

    assert asset.answer == pytest.approx(200.0)


def test_later_answers_fade():
    asset = Asset()
    for _ in range(1_000):
        asset.written(100)

    asset.written(150)

    assert asset.answer == pytest.approx(101.0)


def test_answers_may_be_empty():
    """As those of who only embeds."""
    asset = Asset()

    asset.written(0)

    assert asset.answer == 0.0


def test_what_was_told_is_a_start_and_does_not_count_beside_what_was_seen():
    asset = Asset()
    asset.tell(500.0, 3.0)
    assert (asset.answer, asset.bytes_per_token.value) == (500.0, 3.0)

    asset.written(100)
    asset.tell(500.0, None)

    assert asset.answer == 100.0


@given(st.lists(st.integers(0, 2**53)), st.floats() | st.none(), st.floats(-1, 1e300) | st.none())
def test_the_mean_is_in_range_whatever_comes(lengths, answer, bytes_per_token):
    asset = Asset()

    asset.tell(answer, bytes_per_token)
    for tokens in lengths:
        asset.written(tokens)

    assert asset.answer is None or 0.0 <= asset.answer <= 1e6
    assert 0.0 <= asset.bytes_per_token.value <= 1e5
