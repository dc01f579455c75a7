"""How clients are told that all who could serve them are busy."""

import math

import pytest

from gateway.busy import busy, retry_after
from gateway.route import Choice
from tests.unit.gateway.pushed import StubUpstream


def choices(*services):
    """Return a choice for each (service, asset, slots, in flight)."""
    found = []
    for name, asset, slots, in_flight in services:
        upstream = StubUpstream(name, None)
        upstream.concurrency, upstream.in_flight = slots, in_flight
        found.append(Choice(upstream, b'"%b"' % asset, b"", 0.5, 0, 0.2, None))
    return found


@pytest.mark.parametrize(
    ("services", "waiting", "told"),
    [
        ([("h/a", b"qwen3:14b", 4, 4)], 12, "4 slots of qwen3:14b busy, 12 waiting; retry in 8 s"),
        ([("h/a", b"small", 1, 1)], 0, "1 slot of small busy; retry in 8 s"),
        (
            [("h/a", b"m", 1, 1), ("h/a", b"m", 1, 1), ("h/b", b"m", 3, 3)],
            1,
            "4 slots of m busy, 1 waiting; retry in 8 s",
        ),
        (
            [("h/a", b"m", 1, 1), ("h/b", b"n", 1, 1)],
            2,
            "2 slots of m and others busy, 2 waiting; retry in 8 s",
        ),
        (
            [("h/a", b"m", 1, 3), ("h/b", b"m", 0, 4)],
            0,
            "m: 7 requests under way, as many as may be; retry in 8 s",
        ),
    ],
)
def test_what_is_in_use_who_waits_and_when_to_come_back_is_told(services, waiting, told):
    error = busy(choices(*services), waiting, 7.2)

    assert (str(error), error.retry_after) == (told, 8)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0, 1), (-3.0, 1), (0.2, 1), (1.0, 1), (1.01, 2), (8.0, 8), (1e12, 3600)],
)
def test_when_to_come_back_is_told_in_whole_seconds(seconds, told):
    assert retry_after(seconds) == told


def test_no_estimate_is_too_odd_to_be_told():
    assert retry_after(math.nan) == 1
    assert retry_after(math.inf) == 3600
