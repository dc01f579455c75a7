from hypothesis import given
from hypothesis import strategies as st

from control.live import MAX_COUNT, Loads

COUNTS = st.dictionaries(st.sampled_from("abc"), st.integers(-2, 5))


def test_a_gateway_sees_the_sum_of_the_others():
    loads = Loads()
    loads.tell(1, {"a": 2, "b": 1})
    loads.tell(2, {"a": 3})
    loads.tell(3, {"a": 1})

    assert loads.others(1) == {"a": 4}
    assert loads.others(2) == {"a": 3, "b": 1}
    assert loads.total("a") == 6
    assert loads.in_flight == 7


def test_what_a_gateway_told_ends_with_its_stream():
    loads = Loads()
    loads.tell(1, {"a": 2})
    loads.forget(1)

    assert loads.in_flight == 0
    assert loads.others(2) == {}


def test_a_sum_stays_within_what_the_contract_carries():
    loads = Loads()
    loads.tell(1, {"a": 2**31 - 1})
    loads.tell(2, {"a": 2**31 - 1})

    assert loads.total("a") == loads.in_flight == MAX_COUNT
    assert loads.others(3) == {"a": MAX_COUNT}


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
        assert loads.others(stream) == expected


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
