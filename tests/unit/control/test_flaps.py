from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.flaps import FREE_FALLS, MAX_HOLD_S, MAX_REMEMBERED, WINDOW_S, Flaps

SWEEP_S = 0.25


class Life:
    """A service that is up or down as it likes, and the moments at which routes follow it."""

    def __init__(self):
        self.flaps = Flaps()
        self.now = 0.0
        self.up = self.routed = True
        self.changes = []

    def turn(self, up):
        if self.up and not up:
            self.flaps.fell("s", self.now)
        self.up = up
        self._follow()

    def wait(self, seconds):
        ends = self.now + seconds
        while self.now < ends:
            self.now = min(self.now + SWEEP_S, ends)
            self.flaps.release(self.now)
            self._follow()

    def _follow(self):
        routed = self.up and not self.flaps.holds("s")
        if routed != self.routed:
            self.changes.append(self.now)
            self.routed = routed

    def most_in_a_minute(self):
        return max(sum(0 <= b - a < 60 for b in self.changes) for a in self.changes)


@pytest.mark.parametrize("every", [0.5, 2.0, 5.0, 6.0, 8.0, 10.0, 11.0, 15.0, 20.0, 30.0])
def test_toggling_for_5_minutes_changes_at_most_6_routes_a_minute_and_ends_up(every):
    life = Life()
    for turn in range(int(300 / every)):
        life.turn(turn % 2 == 1)
        life.wait(every)
    life.turn(up=True)
    life.wait(MAX_HOLD_S)

    assert life.most_in_a_minute() <= 6
    assert life.routed


def test_two_restarts_cost_nothing():
    life = Life()
    for _ in range(FREE_FALLS):
        life.turn(up=False)
        life.wait(1.0)
        life.turn(up=True)
        assert life.routed
        life.wait(1.0)


def test_each_further_fall_holds_it_longer():
    flaps = Flaps()
    holds = []
    for second in range(8):
        flaps.fell("s", float(second))
        holds.append(flaps.left("s", float(second)))

    assert holds == [0, 0, 20, 40, 60, 60, 60, 60]
    assert (flaps.left("s", 60.0), flaps.left("other", 60.0)) == (7.0, 0.0)
    assert flaps.release(66.9) == []
    assert flaps.release(67.0) == ["s"]
    assert not flaps.holds("s")


def test_falls_are_forgotten_after_a_minute():
    flaps = Flaps()
    for fall in range(10):
        flaps.fell("s", fall * WINDOW_S / FREE_FALLS)

    assert not flaps.holds("s")


def test_it_is_news_once():
    flaps = Flaps()
    for second in range(5):
        flaps.fell("s", float(second))

    assert flaps.take_news() == ["s"]
    assert flaps.take_news() == []


def test_memory_is_bounded_whatever_falls():
    flaps = Flaps()
    for n in range(MAX_REMEMBERED + 10):
        for _ in range(3):
            flaps.fell(f"s{n}", 0.0)

    assert len(flaps) <= MAX_REMEMBERED + 10
    assert flaps.release(0.0) == [f"s{n}" for n in range(10)]  # so that routes follow
    assert len(flaps) == MAX_REMEMBERED
    assert not flaps.holds("s0")


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 40)), max_size=60))
def test_down_is_never_delayed_and_up_by_no_more_than_a_minute(turns):
    life = Life()
    for up, seconds in turns:
        life.turn(up)
        assert life.up or not life.routed
        life.wait(seconds)
    life.turn(up=True)
    life.wait(MAX_HOLD_S + SWEEP_S)

    assert life.routed
    assert all(a <= b for a, b in pairwise(life.changes))
