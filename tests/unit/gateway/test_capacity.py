"""How many slots are believed, against engines of which nothing is known."""

from heapq import heapify, heappop, heappush
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.capacity import MOST, START, Capacity

READ_S, WRITE_S = 0.2, 3.0


class Engine:
    """One of so many slots, with a queue, and as many requests there as are believed to fit."""

    def __init__(self, slots: int, capacity: Capacity) -> None:
        self.capacity = capacity
        self.believed: list[int] = []
        self._random = Random(slots)
        self._now = 0.0
        self._free = [0.0] * slots
        heapify(self._free)
        self._starts: list[tuple[float, int, float]] = []  # when, others there, how long it took
        self._ends: list[float] = []

    def serve(self, requests: int) -> "Engine":
        for _ in range(requests):
            while len(self._ends) >= self.capacity.slots:
                self._go_on()
            begun = max(self._now, heappop(self._free))
            first = begun + READ_S * self._random.uniform(0.8, 1.4)
            end = first + self._random.expovariate(1 / WRITE_S)
            heappush(self._free, end)
            heappush(self._starts, (first, len(self._ends), first - self._now))
            heappush(self._ends, end)
            self.believed.append(self.capacity.slots)
        return self

    def _go_on(self) -> None:
        """Go on to the next thing that happens."""
        if self._starts and self._starts[0][0] <= self._ends[0]:
            self._now, depth, took_s = heappop(self._starts)
            self.capacity.started(depth, took_s, READ_S)
        else:
            self._now = heappop(self._ends)


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 6, 16, 40, 256])
def test_it_learns_to_within_twice_the_truth(slots):
    believed = Engine(slots, Capacity()).serve(1_500).believed[500:]

    assert all(slots / 2 <= one for one in believed), "the engine starves"
    assert sum(one <= slots * 2 for one in believed) > 0.95 * len(believed)


@pytest.mark.parametrize("told", [1, 300])
def test_a_report_that_ends_is_where_learning_begins(told):
    capacity = Capacity()
    capacity.report(told)
    capacity.report(0)
    assert capacity.slots == told

    Engine(16, capacity).serve(1_500)

    assert 8 <= capacity.slots <= 36


def test_one_slot_costs_few_requests_that_come_late():
    believed = Engine(1, Capacity()).serve(2_000).believed[200:]

    assert sum(one > 1 for one in believed) < 0.05 * len(believed)


def test_an_engine_that_starts_again_with_fewer_slots_is_learned_anew():
    capacity = Capacity()
    Engine(16, capacity).serve(1_000)
    assert capacity.slots >= 8

    Engine(2, capacity).serve(1_000)

    assert capacity.slots <= 4


def test_what_is_reported_is_believed_whatever_is_seen():
    capacity = Capacity()
    capacity.report(4)

    for _ in range(100):
        capacity.started(3, 0.1, 0.1)
        capacity.started(1, 60.0, 0.1)
        capacity.refused(2)
        capacity.queueing(3, 2)

    assert capacity.slots == 4


@pytest.mark.parametrize("absurd", [0, -1, -(10**6), 10**6, 2**63, MOST + 1])
def test_an_absurd_report_is_none(absurd):
    capacity = Capacity()
    capacity.report(absurd)
    assert capacity.slots == START

    capacity.report(3)
    capacity.report(absurd)

    assert capacity.slots == 3


def test_one_late_start_is_no_sign():
    capacity = Capacity()

    capacity.started(4, 60.0, 0.1)
    capacity.started(6, 0.1, 0.1)
    capacity.started(4, 60.0, 0.1)

    assert capacity.slots == START


def test_who_is_late_alone_says_nothing_of_slots():
    capacity = Capacity()

    for _ in range(20):
        capacity.started(0, 60.0, 0.1)

    assert capacity.slots == START


def test_never_less_than_what_was_seen_to_start_promptly():
    capacity = Capacity()
    for _ in range(3):
        capacity.started(5, 0.1, 0.1)

    capacity.refused(2)
    capacity.started(6, 60.0, 0.1)
    capacity.started(6, 60.0, 0.1)

    assert capacity.slots == 6


def test_what_was_seen_once_may_have_been_luck():
    """A slot may become free just when one comes that finds all of them taken."""
    capacity = Capacity()
    capacity.started(2, 0.1, 0.1)
    for _ in range(3):
        capacity.started(6, 0.1, 0.1)
        capacity.started(6, 0.3, 0.1)

    capacity.refused(4)

    assert capacity.slots == 2


def test_a_refusal_counts_at_once():
    capacity = Capacity()

    capacity.refused(3)

    assert capacity.slots == 2


def test_requests_that_wait_inside_are_believed_when_they_stay():
    capacity = Capacity()
    for _ in range(7):
        capacity.queueing(8, 6)
    capacity.queueing(8, 0)
    assert capacity.slots == START

    for in_flight in (6, 8, 3, 7, 8, 8, 7, 6, 8):
        capacity.queueing(in_flight, 5)

    assert capacity.slots == 2  # half way between what is certain and the 3 that are busy


def test_who_waits_inside_for_others_says_nothing():
    capacity = Capacity()

    for _ in range(20):
        capacity.queueing(2, 7)

    assert capacity.slots == START


def test_last_slots_that_start_promptly_are_doubled():
    capacity = Capacity()
    for depth, slots in ((6, 8), (7, 16), (14, 16), (15, 32), (40, 64)):
        capacity.started(depth, 0.3, 0.3)
        assert capacity.slots == slots


NUMBERS = st.integers(-(2**70), 2**70)
SECONDS = st.floats()
SIGNS = (
    st.tuples(st.just("report"), NUMBERS | st.integers(-1, 9))
    | st.tuples(st.just("started"), NUMBERS | st.integers(0, 20), SECONDS, SECONDS)
    | st.tuples(st.just("refused"), NUMBERS | st.integers(0, 20))
    | st.tuples(st.just("queueing"), NUMBERS | st.integers(0, 20), NUMBERS | st.integers(0, 9))
)


@given(st.lists(SIGNS, max_size=60))
def test_whatever_comes_there_is_a_slot_and_not_too_many(signs):
    capacity = Capacity()

    for what, *values in signs:
        getattr(capacity, what)(*values)

        assert 1 <= capacity.slots <= MOST


def test_after_a_bad_spell_it_is_soon_believed_again():
    """As when something else has used the engine's GPU for a while."""
    capacity = Capacity()
    for _ in range(10):
        capacity.started(7, 0.3, 0.3)
    for _ in range(100):
        capacity.started(capacity.slots - 1, 9.0, 0.3)
    assert capacity.slots == 1

    promptly = 0
    while capacity.slots < 8:
        capacity.started(capacity.slots - 1, 0.3, 0.3)
        promptly += 1
    assert promptly < 20
