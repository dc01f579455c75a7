"""How people are told that all who could serve a request are busy."""

import math

import pytest

from gateway.busy import busy, reason, retry_after
from gateway.config import Limits
from gateway.load import Load
from gateway.rates import Learned
from gateway.route import Choice


def choice(name="h/a", asset="m", slots=1, in_flight=1, *, gated=True, absent=False):
    """Return a choice whose service has so many slots, 0 when that is unknown."""
    load = Load(name, Limits())
    load.resize(slots)
    load.in_flight, load.gated = in_flight, gated
    rates = Learned().rates(name, asset)
    return Choice(load, b'"%b"' % asset.encode(), b"", 0.5, 0, 0.2, None, rates, absent)


@pytest.mark.parametrize(
    ("choices", "waiting", "told"),
    [
        ([("h/a", "qwen3:14b", 4)], 12, "4 slots of qwen3:14b busy, 12 waiting; retry in 8 s"),
        ([("h/a", "small", 1)], 0, "1 slot of small busy; retry in 8 s"),
        ([("h/a", "m", 1), ("h/b", "m", 3)], 1, "4 slots of m busy, 1 waiting; retry in 8 s"),
        ([("h/a", "m"), ("h/b", "n")], 2, "2 slots of m and others busy, 2 waiting; retry in 8 s"),
        ([("h/a", "m", 0)], 0, "8 slots of m busy; retry in 8 s"),
    ],
)
def test_what_is_in_use_who_waits_and_when_to_come_back_is_told(choices, waiting, told):
    error = busy([choice(*one) for one in choices], waiting, 7.2)

    assert (str(error), error.retry_after) == (told, 8)


def test_a_service_counts_once_however_many_choices_lead_there():
    one = choice(slots=2)

    assert str(busy([one, one], 0, 1.0)) == "2 slots of m busy; retry in 1 s"


def test_where_nobody_waits_here_only_slots_that_are_known_are_told():
    known = choice(slots=1, in_flight=3, gated=False)
    unknown = choice("h/b", slots=0, in_flight=4, gated=False)

    assert str(busy([known], 2, 1.0)) == "1 slot of m busy, 2 waiting; retry in 1 s"
    assert str(busy([known, unknown], 0, 1.0)) == (
        "m: 7 requests under way, as many as may be; retry in 1 s"
    )


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0, 1), (-3.0, 1), (0.2, 1), (1.0, 1), (1.01, 2), (8.0, 8), (1e12, 3600)],
)
def test_when_to_come_back_is_told_in_whole_seconds(seconds, told):
    assert retry_after(seconds) == told


def test_no_estimate_is_too_odd_to_be_told():
    assert retry_after(math.nan) == 1
    assert retry_after(math.inf) == 3600


def test_what_a_request_waits_for_is_told():
    assert reason([choice(slots=4, in_flight=4)]) == "all 4 slots of m busy"
    assert reason([choice()]) == "1 slot of m busy"
    assert reason([choice(absent=True, in_flight=0)]) == "m is not in memory yet"
    assert reason([choice(slots=4)]) == "m has other prompts to read first"
    kept = choice(slots=4)
    kept.upstream.reserved = True
    assert reason([kept]) == "who serves m is to load another model"
    assert reason([kept, choice("h/b", slots=4)]) == "m has other prompts to read first"
    assert reason([]) == "nobody serves it now"
