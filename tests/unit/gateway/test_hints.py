from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control import ejections as ejections_of
from control.api.errors import UpstreamError
from control.ejection_messages import ejections as read
from gateway.breaker import Breaker, State
from gateway.config import Ejection
from gateway.hints import Hints
from gateway.load_messages import load_messages


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


class Fleet:
    """Gateways that ask one service, each by its own breaker, and hear of each other."""

    def __init__(self, size):
        self.now = 0.0
        self.breakers = [Breaker(Ejection(), lambda: 0.0, lambda: None) for _ in range(size)]
        self.ejections = ejections_of.Ejections(lambda: self.now)

    def exchange(self):
        """Tell control, and hear what it tells on."""
        for breaker in self.breakers:
            kept_out = breaker.ejection(self.now)
            loads = load_messages({}, {"h/a": kept_out} if kept_out else {})
            self.ejections.tell(breaker, read(loads, known=str))
        for breaker in self.breakers:
            breaker.hint(ejected="h/a" in self.ejections.others(breaker))

    def ask(self, breaker, *, fails):
        if fails:
            breaker.failed(breaker.epoch, UpstreamError("it broke"), self.now)
        else:
            breaker.answered(breaker.epoch, self.now)

    def return_of(self, breaker):
        """Let a breaker that is out find out that its service is well."""
        breaker.checked(breaker.checkup_begins(self.now), None, self.now)
        breaker.try_now(self.now)
        self.ask(breaker, fails=False)

    @property
    def out(self):
        return [breaker.state is not State.IN for breaker in self.breakers]


def test_hints_end_with_the_ejection_that_they_rest_on():
    """Else each would keep the others out by turns, for ever, for a failure now and then."""
    fleet = Fleet(3)
    first, *others = fleet.breakers
    for _ in range(5):
        fleet.ask(first, fails=True)
    fleet.exchange()
    for breaker in others:
        fleet.ask(breaker, fails=True)
    fleet.exchange()
    assert fleet.out == [True, True, True]
    assert fleet.ejections.of("h/a").gateways == 3

    fleet.return_of(first)
    fleet.exchange()
    fleet.ask(first, fails=True)
    assert fleet.out == [False, True, True]
    for breaker in others:
        fleet.return_of(breaker)
        fleet.ask(breaker, fails=True)

    assert fleet.out == [False, False, False]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["fails", "answers", "returns"]))))
def test_nobody_is_out_for_what_others_saw(steps):
    fleet = Fleet(3)
    in_a_row = [0, 0, 0]
    for place, what in steps:
        before = fleet.out
        breaker = fleet.breakers[place]
        if what != "returns":
            in_a_row[place] = in_a_row[place] + 1 if what == "fails" else 0
            fleet.ask(breaker, fails=what == "fails")
        elif before[place]:
            in_a_row[place] = 0
            fleet.return_of(breaker)
        fleet.exchange()

        fell = [n for n in range(3) if fleet.out[n] and not before[n]]
        assert fell in ([], [place])
        assert not fell or what == "fails"
        own = [n for n in range(3) if fleet.out[n] and not fleet.breakers[n].ejection(0.0).hinted]
        assert not fell or own  # there is one who saw enough of it by itself
