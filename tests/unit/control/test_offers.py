"""Single facts; what a beat leads to in the life of a host is in `test_membership`."""

from dataclasses import replace

import pytest

from control.inventory import Availability, Endpoint, Health, Observation, RequestPolicy
from control.offers import differs, moved, taken
from tests.unit.control.builders import HEALTHY, asset, offer, service

HELD = {"h1/a": offer("h1/a"), "h1/b": offer("h1/b")}


def test_how_services_are_is_taken_and_nothing_else_changes():
    after = taken("h1", HELD, [("h1/a", HEALTHY, None), ("h1/b", Observation(), None)])

    assert {name: one.service for name, one in after.offers.items()} == {
        name: one.service for name, one in HELD.items()
    }
    assert after.offers["h1/b"].observation.health is Health.UNKNOWN
    assert (after.redefined, after.wanted, after.refused, after.dropped) == (False, (), {}, 0)


def test_what_is_missing_is_withdrawn():
    after = taken("h1", HELD, [("h1/a", HEALTHY, None)])

    assert (set(after.offers), after.redefined) == ({"h1/a"}, True)


def test_what_is_unknown_is_wanted_and_taken_with_its_definition():
    beats = [("h1/a", HEALTHY, None), ("h1/b", HEALTHY, None), ("h1/c", HEALTHY, None)]
    assert taken("h1", HELD, beats).wanted == ("h1/c",)
    beats[2] = ("h1/c", HEALTHY, service("h1/c"))
    after = taken("h1", HELD, beats)

    assert (len(after.offers), after.wanted, after.redefined) == (3, (), True)


def test_a_service_of_another_host_is_refused():
    after = taken("h1", {}, [("h2/s", HEALTHY, service("h2/s"))])

    assert "does not start with 'h1/'" in after.refused["h2/s"]
    assert (after.offers, after.redefined) == ({}, False)


def test_odd_values_are_counted():
    seen = Observation(Health.HEALTHY, in_flight=-1, queue_depth=-1)

    assert taken("h1", HELD, [("h1/a", seen, None)]).dropped == 2


@pytest.mark.parametrize(
    "availability", [one for one in Availability if one is not Availability.AVAILABLE]
)
def test_a_change_of_availability_is_a_difference(availability):
    before = offer("h1/a")
    after = offer("h1/a", seen=replace(HEALTHY, availability=availability))

    assert differs(before, after)
    assert differs(after, before)
    assert not differs(after, after)


def test_being_busier_or_ill_is_no_difference_of_what_it_is():
    for seen in (replace(HEALTHY, queue_depth=9), Observation(Health.UNHEALTHY)):
        assert not differs(offer("h1/a"), offer("h1/a", seen=seen))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"revision": 9, "concurrency": 4}, False),
        ({"engine": "vllm"}, True),
        ({"endpoint": Endpoint("http", "127.0.0.1:8081")}, True),
        ({"endpoint": Endpoint("http", "127.0.0.1:8080", "/v2")}, True),
        ({"api_key": "sekret"}, True),
    ],
)
def test_what_is_asked_elsewhere_or_otherwise_has_moved(fields, expected):
    assert moved(service(), service(**fields)) is expected


def test_descriptions_that_come_one_by_one_are_bounded_together():
    """And one that is replaced leaves its room to what replaces it."""
    large = RequestPolicy(system_prompt="x" * 60_000)
    names = [f"h1/{n}" for n in range(100)]
    held = {}
    for name in names:
        new = (name, HEALTHY, service(name, asset(request_policy=large), revision=1))
        after = taken("h1", held, [*((one, HEALTHY, None) for one in held), new])
        held = after.offers
        if after.refused:
            break
    assert len(held) == 17
    assert "at most 1048576 bytes" in after.refused["h1/17"]

    again = service("h1/0", asset(request_policy=large), revision=2)
    beats = [(one, HEALTHY, again if one == "h1/0" else None) for one in held]
    assert taken("h1", held, beats).refused == {}
