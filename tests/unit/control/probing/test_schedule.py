import random

from hypothesis import given
from hypothesis import strategies as st

from control.probing.schedule import Schedule


def test_a_fleet_spreads_over_the_interval_and_stays_so():
    schedule = Schedule(10.0, random.Random(1).random)
    for n in range(10_000):
        schedule.add(f"h/{n}", 0.0)
    now, taken = 0.0, []
    for tick in range(10_000):
        now, count = tick * 0.01, 0
        while (one := schedule.take(now)) is not None:
            schedule.again(one, now)
            count += 1
        taken.append(count)

    seconds = [sum(taken[n : n + 100]) for n in range(0, 10_000, 100)]
    assert max(taken) < 40  # of 10 on average
    assert 700 < min(seconds) <= max(seconds) < 1_300
    assert 98_000 < sum(taken) < 102_000


def test_nobody_has_a_second_turn_before_the_first_is_over():
    schedule = Schedule(1.0, lambda: 0.5)
    schedule.add("a", 0.0)
    schedule.add("a", 0.1)

    assert schedule.take(0.4) is None
    assert schedule.take(0.5) == "a"
    assert schedule.take(100.0) is None
    schedule.again("a", 0.5)
    assert (schedule.take(1.4), schedule.take(1.5)) == (None, "a")


def test_who_left_has_no_turn_not_even_one_that_was_under_way():
    schedule = Schedule(1.0, lambda: 0.5)
    for one in ("a", "b"):
        schedule.add(one, 0.0)
    schedule.remove("a")
    assert (schedule.take(9.0), schedule.take(9.0)) == ("b", None)
    schedule.remove("b")
    schedule.remove("never there")
    schedule.again("b", 9.0)

    assert (schedule.take(99.0), len(schedule)) == (None, 0)


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "again", "take"]), st.integers(0, 30)),
        max_size=400,
    )
)
def test_whoever_is_there_has_one_turn_and_memory_is_bounded(steps):
    schedule, there, under_way, now = Schedule(1.0, random.Random(1).random), set(), set(), 0.0
    for step, n in steps:
        now += 0.01
        match step:
            case "add":
                schedule.add(str(n), now)
                if str(n) not in there:
                    under_way.discard(str(n))
                there.add(str(n))
            case "remove":
                schedule.remove(str(n))
                there.discard(str(n))
                under_way.discard(str(n))
            case "again" if str(n) in under_way:
                schedule.again(str(n), now)
                under_way.discard(str(n))
            case "take" if (one := schedule.take(now)) is not None:
                assert one in there - under_way
                under_way.add(one)
    later = {one for _ in range(100) if (one := schedule.take(now + 10.0)) is not None}

    assert later == there - under_way
    assert len(schedule) == len(there)
