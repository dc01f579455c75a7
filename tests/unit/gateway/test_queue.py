"""Who waits goes by priority, then principals take turns, then short work first, with ageing."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from control.api.priorities import Priority
from gateway.queue import AGEING, LEAST_WORK_S, MOST_REMEMBERED, MOST_WORK_S, Place, Queue

WORKS = st.floats(LEAST_WORK_S, 30.0)


def place(
    principal: str = "a",
    work: float = 1.0,
    since: float = 0.0,
    priority: Priority = Priority.NORMAL,
    lane: Hashable = "chat",
) -> Place:
    return Place(lane, principal, priority, since, work, waiter=None)


def queue_of(*places: Place) -> Queue:
    queue = Queue()
    for one in places:
        queue.add(one)
    return queue


def served_all(queue: Queue) -> Iterator[Place]:
    """Serve who is first until nobody waits."""
    while first := next(queue.in_order(), None):
        queue.served(first)
        yield first


def test_a_higher_priority_goes_first_however_long_others_wait():
    low = place(priority=Priority.LOW, since=-1e6)
    normal = place(work=0.1)
    high = place(work=100.0, since=100.0, priority=Priority.HIGH)

    assert list(queue_of(low, normal, high).in_order()) == [high, normal, low]


def test_short_work_goes_first_and_ages():
    long, short, late = place(work=5.0), place(work=1.0), place(work=1.0, since=41.0)

    assert list(queue_of(long, late, short).in_order()) == [short, long, late]


def test_equal_ones_go_as_they_came():
    places = [place() for _ in range(5)]

    assert list(queue_of(*places).in_order()) == places


def test_principals_take_turns_by_the_work_that_was_sent():
    many = [place("many", work=1.0) for _ in range(4)]
    few = [place("few", work=2.0) for _ in range(2)]
    order = [one.principal for one in served_all(queue_of(*many, *few))]

    assert order == ["many", "few", "many", "many", "few", "many"]


def test_who_comes_new_starts_where_the_others_are():
    """It is not paid back for the time in which it asked for nothing."""
    queue = queue_of(*(place("many") for _ in range(10)))
    for _ in range(5):
        queue.served(next(queue.in_order()))
    for _ in range(3):
        queue.add(place("new"))
    order = [one.principal for one in served_all(queue)]

    assert order == ["new", "many", "new", "many", "new", "many", "many", "many"]


def test_who_leaves_and_comes_back_owes_what_it_got():
    busy = [place("busy") for _ in range(3)]
    gone = place("gone", work=10.0)
    queue = queue_of(gone, *busy)
    queue.served(gone)
    back = place("gone", work=0.1)
    queue.add(back)

    assert list(queue.in_order()) == [*busy, back]


def test_who_left_unserved_is_charged_nothing():
    mine, other = place("mine", work=10.0), place("other")
    queue = queue_of(mine, other)
    queue.remove(mine)
    again = place("mine", work=0.5)
    queue.add(again)

    assert list(queue.in_order()) == [again, other]


def test_priorities_owe_each_other_nothing():
    queue = queue_of(*(place("both", priority=Priority.HIGH, work=100.0) for _ in range(3)))
    both, other = place("both", work=0.5), place("other")
    queue.add(both)
    queue.add(other)

    assert list(served_all(queue))[3:] == [both, other]


def test_a_closed_lane_is_not_looked_at_and_its_principals_are_not_charged():
    full = [place("a", work=0.1, lane="full") for _ in range(3)]
    mine, other = place("a", work=1.0, lane="free"), place("b", work=2.0, lane="free")
    queue = queue_of(*full, other, mine)
    looking = queue.in_order()

    assert next(looking) is full[0]
    looking.close_lane("full")
    assert list(looking) == [other, mine]  # b was next, whatever is waiting for a
    assert list(queue.in_order())[:2] == [full[0], other]


def test_nothing_is_looked_at_when_all_lanes_are_closed():
    looking = queue_of(*(place(f"p{number}") for number in range(3))).in_order()
    next(looking)
    looking.close_lane("chat")

    assert list(looking) == []


def test_a_place_that_is_not_there_can_be_removed_and_served():
    gone = place()
    queue = queue_of(gone)
    queue.remove(gone)
    queue.remove(gone)
    queue.served(gone)

    assert (len(queue), queue.principals, queue.position(gone)) == (0, 0, 0)
    assert not queue.lanes()


def test_positions_are_those_of_a_lane():
    first, second = place(work=1.0), place(work=2.0)
    other = place(work=1.5, lane="embeddings")
    queue = queue_of(second, other, first)

    assert [queue.position(one) for one in (first, second, other)] == [1, 2, 1]
    assert [queue.standing(one)[1] for one in (first, second, other)] == [0.0, first.work, 0.0]
    assert queue.lanes() == {"chat": 2, "embeddings": 1}
    queue.served(first)
    assert [queue.position(one) for one in (first, second, other)] == [0, 1, 1]


@pytest.mark.parametrize(
    ("work", "counted"),
    [
        (math.nan, LEAST_WORK_S),
        (-1.0, LEAST_WORK_S),
        (0.0, LEAST_WORK_S),
        (math.inf, MOST_WORK_S),
        (1e12, MOST_WORK_S),
    ],
)
def test_work_that_cannot_be_is_made_so_that_it_can(work, counted):
    odd = place("odd", work=work)
    queue = queue_of(place("a"), odd, place("a"))

    assert odd.work == counted
    assert {one.principal for one in served_all(queue)} == {"a", "odd"}


def test_principals_are_forgotten():
    """10,000 come and go, each for one request, while somebody waits all the time."""
    waits = place("waits", lane="full")
    queue, most = queue_of(waits), 0
    for number in range(10_000):
        got, gone = place(f"got-{number}"), place(f"gone-{number}")
        queue.add(got)
        queue.add(gone)
        queue.served(got)
        queue.remove(gone)
        most = max(most, queue.principals)

    assert most <= MOST_REMEMBERED + 3
    queue.remove(waits)
    assert queue.principals == 0


def test_ever_new_principals_do_not_shut_out_one_that_got_something():
    queue = queue_of(place("old"), place("old"))
    queue.served(next(queue.in_order()))
    for number in range(2 * MOST_REMEMBERED):
        queue.add(place(f"new-{number}"))
        first = next(queue.in_order())
        queue.served(first)
        if first.principal == "old":
            return
    pytest.fail("it still waits")


def test_coming_and_leaving_leaves_nothing_behind():
    """Nor does one that is not forgotten yet take more memory each time."""
    queue = queue_of(place("a"), place("a"), place("b", work=1000.0))
    queue.served(next(one for one in queue.in_order() if one.principal == "b"))
    for _ in range(100):
        back = place("b")
        queue.add(back)
        queue.remove(back)

    assert len(queue._classes[Priority.NORMAL]._ending) == 1


@given(st.lists(WORKS, min_size=30, max_size=30), st.lists(WORKS, min_size=30, max_size=30))
@settings(max_examples=50)
def test_two_who_always_wait_get_work_within_one_request_of_each_other(one, other):
    queue = queue_of(*(place("one", work) for work in one))
    for work in other:
        queue.add(place("other", work))
    got: Counter[str] = Counter()
    left = Counter({"one": 30, "other": 30})
    for first in served_all(queue):
        got[first.principal] += first.work
        left[first.principal] -= 1
        if not all(left.values()):
            break
        assert abs(got["one"] - got["other"]) <= max(*one, *other) + 1e-6


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), WORKS), min_size=1, max_size=60),
    st.integers(0, 40),
    WORKS,
)
@settings(max_examples=50)
def test_a_light_one_waits_for_one_request_of_each_other_at_most(heavy, already, work):
    queue = queue_of(*(place(principal, work) for principal, work in heavy))
    for _, _ in zip(range(already), served_all(queue), strict=False):
        pass
    light = place("light", work)
    queue.add(light)
    before: Counter[str] = Counter()
    for one in served_all(queue):
        if one is light:
            break
        before[one.principal] += 1

    assert max(before.values(), default=0) <= 1


@given(st.lists(WORKS, min_size=20, max_size=60), WORKS)
@settings(max_examples=50)
def test_nobody_is_overtaken_by_who_came_much_later(works, long):
    """One comes each second, and one is served; of the same principal."""
    waits = place(work=long)
    queue = queue_of(waits)
    for now, work in enumerate(works, start=1):
        queue.add(place(work=work, since=float(now)))
        first = next(queue.in_order())
        queue.served(first)
        if first is waits:
            return
        assert first.since <= long / AGEING


class Naive:
    """The same, said once more: everything is looked at each time."""

    def __init__(self) -> None:
        self.waiting: list[Place] = []
        self._came: dict[Place, int] = {}
        self._tags: dict[tuple[Priority, str], float] = {}
        self._time: Counter[Priority] = Counter()

    def add(self, one: Place) -> None:
        whose = (one.priority, one.principal)
        if not any((other.priority, other.principal) == whose for other in self.waiting):
            self._tags[whose] = max(self._tags.get(whose, 0.0), self._time[one.priority])
        self._came[one] = len(self._came)
        self.waiting.append(one)

    def leave(self, one: Place, *, served: bool) -> None:
        self.waiting.remove(one)
        if served:
            whose = (one.priority, one.principal)
            self._time[one.priority] = max(self._time[one.priority], self._tags[whose])
            self._tags[whose] += one.work
        if not any(other.priority is one.priority for other in self.waiting):
            self._time[one.priority] = 0
            self._tags = {
                whose: tag for whose, tag in self._tags.items() if whose[0] != one.priority
            }

    def in_order(self, open_for: dict[Hashable, int]) -> Iterator[Place]:
        """Yield who is next; of each lane so many at most."""
        left, tags = list(self.waiting), dict(self._tags)
        looked_at: Counter[Hashable] = Counter()
        while left := [one for one in left if looked_at[one.lane] < open_for[one.lane]]:
            heads: dict[tuple[Priority, str], Place] = {}
            for one in sorted(left, key=self._in_line):
                heads.setdefault((one.priority, one.principal), one)
            found = min(
                heads.values(),
                key=lambda one: (
                    -one.priority,
                    tags[one.priority, one.principal],
                    *self._in_line(one),
                ),
            )
            yield found
            tags[found.priority, found.principal] += found.work
            looked_at[found.lane] += 1
            left.remove(found)

    def _in_line(self, one: Place) -> tuple[float, int]:
        return one.work + AGEING * one.since, self._came[one]


LANES = ("chat", "embeddings", "speech")


class Machine(RuleBasedStateMachine):
    """Places come, are served and leave; after each step the order is the naive one."""

    places = Bundle("places")

    def __init__(self) -> None:
        super().__init__()
        self.queue, self.naive = Queue(), Naive()
        self.now = 0.0
        self.gone: list[Place] = []

    @rule(
        target=places,
        principal=st.sampled_from("abc"),
        priority=st.sampled_from(Priority),
        lane=st.sampled_from(LANES),
        work=st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0]),
        later=st.sampled_from([0.0, 0.0, 1.0, 30.0]),
    )
    def come(self, principal, priority, lane, work, later):
        self.now += later
        one = place(principal, work, self.now, priority, lane)
        self.queue.add(one)
        self.naive.add(one)
        return one

    @rule(one=consumes(places))
    def give_up(self, one):
        if one in self.naive.waiting:
            self.naive.leave(one, served=False)
        self.queue.remove(one)

    @rule(one=places)
    def serve(self, one):
        if one in self.naive.waiting:
            self.naive.leave(one, served=True)
        self.queue.served(one)

    @rule(data=st.data())
    def plan(self, data):
        """Go through it once, and serve and remove on the way."""
        open_for = {lane: data.draw(st.integers(0, 3), label=lane) for lane in LANES}
        expected = list(self.naive.in_order(open_for))
        looking = self.queue.in_order()
        found = []
        for lane, count in open_for.items():
            if not count:
                looking.close_lane(lane)
        for one in looking:
            found.append(one)
            open_for[one.lane] -= 1
            if not open_for[one.lane]:
                looking.close_lane(one.lane)
            match data.draw(st.sampled_from(["wait", "serve", "leave"])):
                case "serve":
                    self.queue.served(one)
                    self.naive.leave(one, served=True)
                case "leave":
                    self.queue.remove(one)
                    self.naive.leave(one, served=False)

        assert found == expected

    @invariant()
    def nothing_is_lost_and_the_order_is_the_same(self):
        everybody = dict.fromkeys(LANES, len(self.naive.waiting))
        expected = list(self.naive.in_order(everybody))

        assert list(self.queue.in_order()) == expected
        assert len(self.queue) == len(expected)
        assert self.queue.lanes() == Counter(one.lane for one in expected)
        assert [self.queue.position(one) for one in expected] == list(_numbered(expected))
        assert self.queue.principals <= 3 * len({one.priority for one in expected})


def _numbered(places: Iterable[Place]) -> Iterator[int]:
    """Yield the number of each place in its lane."""
    counts: Counter[Hashable] = Counter()
    for one in places:
        counts[one.lane] += 1
        yield counts[one.lane]


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
