import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.ejections import MAX_SERVICES, Ejection, Ejections, Told

TOLD = st.dictionaries(
    st.sampled_from("ab"),
    st.builds(Told, st.floats(0, 60), st.sampled_from(["5 timeouts", "2 of 3"]), st.booleans()),
)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_of_several_gateways_the_longest_is_told_with_its_reason():
    ejections = Ejections(Clock())
    ejections.tell(1, {"a": Told(9.0, "5 timeouts")}.items())
    ejections.tell(2, {"a": Told(4.0, "5 answers 503"), "b": Told(1.0, "7 of 12 failed")}.items())

    assert ejections.of("a") == Ejection(9.0, "5 timeouts", 2)
    assert ejections.others(1) == {
        "a": Ejection(4.0, "5 answers 503"),
        "b": Ejection(1.0, "7 of 12 failed"),
    }
    assert ejections.of("c") is None


def test_the_time_that_remains_passes_and_then_the_service_may_be_tried():
    clock = Clock()
    ejections = Ejections(clock)
    ejections.tell(1, {"a": Told(9.0, "5 timeouts")}.items())
    clock.now += 6.0
    assert ejections.of("a") == Ejection(3.0, "5 timeouts")
    clock.now += 60.0

    assert ejections.of("a") == Ejection(0.0, "5 timeouts")


@pytest.mark.parametrize(
    ("remaining", "kept"), [(math.nan, 0.0), (-1.0, 0.0), (math.inf, 3_600.0), (1e9, 3_600.0)]
)
def test_no_odd_time_is_kept(remaining, kept):
    ejections = Ejections(Clock())
    ejections.tell(1, {"a": Told(remaining, "odd")}.items())

    assert ejections.of("a") == Ejection(kept, "odd")


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.none() | TOLD)))
def test_what_is_kept_out_is_what_each_told_last(steps):
    ejections = Ejections(Clock())
    told = {}
    for stream, said in steps:
        if said is None:
            ejections.forget(stream)
            told.pop(stream, None)
        else:
            ejections.tell(stream, said.items())
            told[stream] = said

    def expected(streams, hinted=True):
        found = {}
        for service_id in "ab":
            every = [said[service_id] for said in streams if service_id in said]
            if every := sorted(one for one in every if hinted or not one.hinted):
                found[service_id] = (pytest.approx(every[-1][0]), len(every))
        return found

    def seen(ejections):
        return {name: (one.remaining, one.gateways) for name, one in ejections.items()}

    assert seen(ejections.all()) == expected(told.values())
    for stream in (1, 2, 3):
        others = [said for other, said in told.items() if other != stream]
        assert seen(ejections.others(stream)) == expected(others, hinted=False)
    assert seen({one: ejections.of(one) for one in ejections.all()}) == expected(told.values())


def test_of_many_services_no_more_are_kept_of_a_gateway_and_told_to_one():
    ejections = Ejections(Clock())
    for stream in (1, 2, 3):
        ejections.tell(
            stream, {f"{stream}/{n}": Told(9.0, "5 timeouts") for n in range(10_000)}.items()
        )

    assert len(ejections.all()) == 3 * MAX_SERVICES
    assert len(ejections.others(1)) == MAX_SERVICES
    for stream in (1, 2, 3):
        ejections.forget(stream)
    assert ejections.all() == {}


def test_what_is_beyond_is_not_even_read():
    read = []

    def told():
        for number in range(10_000):
            read.append(number)
            yield f"h/{number}", Told(9.0, "5 timeouts")

    Ejections(Clock()).tell(1, told())

    assert len(read) == MAX_SERVICES
