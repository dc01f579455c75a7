from types import SimpleNamespace

import pytest

from control import ejections as ejections_of
from gateway.breaker import Ejected
from gateway.hints import MAX_REASON, MAX_SERVICES, Hints, load_messages


class Told:
    """A breaker that only remembers what it was told."""

    ejected = False

    def hint(self, *, ejected):
        self.ejected = ejected


@pytest.fixture
def upstreams():
    return {name: SimpleNamespace(breaker=Told()) for name in ("h/a", "h/b")}


def hinted(upstreams):
    return [name for name, upstream in upstreams.items() if upstream.breaker.ejected]


def test_breakers_hear_what_others_keep_out_until_they_do_not(upstreams):
    hints = Hints(upstreams)
    hints.heed(["h/a", "h/unknown"])
    assert hinted(upstreams) == ["h/a"]
    hints.heed(["h/a", "h/b"])
    assert hinted(upstreams) == ["h/a", "h/b"]
    hints.heed([])

    assert hinted(upstreams) == []


def test_a_service_that_leaves_takes_no_hint_along(upstreams):
    hints = Hints(upstreams)
    hints.heed(["h/a"])
    gone = upstreams.pop("h/a")
    hints.heed(["h/a"])

    assert not gone.breaker.ejected


def test_control_is_told_what_is_in_flight_and_what_is_kept_out():
    ejections = {"h/a": Ejected(9.2501, "5 timeouts"), "h/b": Ejected(0.0, "x" * 1_000)}
    told = {one.service_id: one for one in load_messages({"h/a": 2, "h/c": 1}, ejections)}

    assert {name: one.in_flight for name, one in told.items()} == {"h/a": 2, "h/b": 0, "h/c": 1}
    assert told["h/a"].ejection.remaining.ToMilliseconds() == 9_251
    assert told["h/a"].ejection.reason == "5 timeouts"
    assert told["h/b"].ejection.remaining.ToMilliseconds() == 0
    assert told["h/b"].ejection.reason == "x" * MAX_REASON
    assert not told["h/c"].HasField("ejection")


def test_a_gateway_that_keeps_everybody_out_tells_of_as_many_as_control_takes():
    ejections = {f"h/{number}": Ejected(9.0, "5 timeouts") for number in range(10_000)}

    assert len(load_messages({"h/1": 1}, ejections)) == MAX_SERVICES == ejections_of.MAX_SERVICES
