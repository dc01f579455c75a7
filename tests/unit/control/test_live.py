from hypothesis import given
from hypothesis import strategies as st

from control.live import FROZEN_S, MAX_COUNT, Loads

COUNTS = st.dictionaries(st.sampled_from("abc"), st.integers(-2, 5))


def test_a_gateway_sees_the_sum_of_the_others():
    loads = Loads()
    loads.tell(1, {"a": 2, "b": 1})
    loads.tell(2, {"a": 3})
    loads.tell(3, {"a": 1})

    assert loads.others(1).in_flight == {"a": 4}
    assert loads.others(2).in_flight == {"a": 3, "b": 1}
    assert loads.total("a") == 6
    assert loads.in_flight == 7


def test_what_a_gateway_told_ends_with_its_stream():
    loads = Loads()
    loads.tell(1, {"a": 2})
    loads.forget(1)

    assert loads.in_flight == 0
    assert loads.others(2).in_flight == {}


def test_what_waits_and_what_is_to_be_read_end_with_the_stream_too():
    loads = Loads()
    loads.tell(1, {}, pending={"a": 250, "b": -1}, waiting={"a": 2})
    loads.tell(2, {"a": 1}, pending={"a": 50}, waiting={"b": 1})

    assert loads.others(2).pending == {"a": 250}
    assert loads.others(1).waiting == {"b": 1}
    assert (loads.waiting.of("a"), loads.waiting.total) == (2, 3)
    loads.forget(1)
    assert (loads.pending.of("a"), loads.waiting.total) == (50, 1)
    loads.tell(2, {})
    assert (loads.pending.total, loads.waiting.total) == (0, 0)


def test_for_what_a_frozen_gateway_has_nobody_waits():
    """It was told to wait behind requests of one that was stopped, for half a minute."""
    now = 0.0
    loads = Loads(lambda: now)
    loads.tell(1, {"a": 4}, pending={"a": 250}, waiting={"a": 2})
    now = FROZEN_S + 0.01
    loads.tell(2, {"a": 1})

    assert loads.others(2) == ({}, {}, {})
    assert loads.others(1).in_flight == {"a": 1}
    assert loads.total("a") == 5  # a drain does wait for them
    loads.tell(1, {"a": 3})
    assert loads.others(2).in_flight == {"a": 3}


def test_a_sum_stays_within_what_the_contract_carries():
    loads = Loads()
    loads.tell(1, {"a": 2**31 - 1})
    loads.tell(2, {"a": 2**31 - 1})

    assert loads.total("a") == loads.in_flight == MAX_COUNT
    assert loads.others(3).in_flight == {"a": MAX_COUNT}


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.none() | COUNTS)))
def test_the_sums_are_those_of_what_each_told_last(steps):
    loads = Loads()
    told = {}
    for stream, counts in steps:
        if counts is None:
            loads.forget(stream)
            told.pop(stream, None)
        else:
            loads.tell(stream, counts)
            told[stream] = {name: count for name, count in counts.items() if count > 0}

    for name in "abc":
        assert loads.total(name) == sum(counts.get(name, 0) for counts in told.values())
    for stream in (1, 2, 3):
        expected = {}
        for other, counts in told.items():
            for name, count in counts.items():
                if other != stream:
                    expected[name] = expected.get(name, 0) + count
        assert loads.others(stream).in_flight == expected


def test_silence_begins_with_the_last_word_of_a_gateway():
    now = 5.0
    loads = Loads(lambda: now)
    assert loads.silence() == 0
    loads.tell(1, {})
    now = 7.0
    loads.forget(1)

    assert loads.silence() == 2


def test_gateways_that_left_are_not_silent():
    """A connection that is cut off ends long after the last word; one that is closed, at once."""
    now = 5.0
    loads = Loads(lambda: now)
    loads.tell(1, {"a": 1})
    loads.tell(2, {})
    now = 5.3
    loads.forget(2)
    now = 6.0
    assert loads.silence() == 1
    loads.tell(1, {})
    loads.forget(1)
    now = 60.0

    assert loads.silence() == 0


def test_what_is_left_is_not_known_before_every_gateway_has_told_again():
    now = 100.0
    loads = Loads(lambda: now)
    assert loads.left(["h1/a"], within=-1.0) == 0  # no gateway, nobody to ask

    loads.tell("one", {})
    now = 100.2
    loads.tell("two", {"h1/a": 3, "h1/b": 1, "h2/a": 5})
    assert loads.left(["h1/a", "h1/b"], within=0.1) == 4
    assert loads.left(["h1/c"], within=0.1) == 1  # the first may have begun something since
    assert loads.left(["h1/c"], within=0.3) == 0
    assert loads.left(["h1/c"], within=float("inf")) == 0

    loads.forget("one")
    assert loads.left(["h1/c"], within=0.1) == 0
