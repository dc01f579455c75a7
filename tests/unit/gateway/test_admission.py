"""What one process takes on at a time, and what becomes of the rest."""

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from control.api.errors import AllBusy, NotReady
from gateway.admission import Admission
from gateway.config import Limits
from gateway.keys import ANONYMOUS


def test_as_many_enter_as_the_process_takes():
    admission = Admission(Limits(requests=2))
    admission.enter("a")
    admission.enter("b")

    with pytest.raises(NotReady) as raised:
        admission.enter("c")

    assert (raised.value.http, raised.value.retry_after) == (503, 1)
    assert str(raised.value) == (
        "2 requests are under way here, as many as one process takes; retry in 1 s"
    )
    admission.leave("a")
    admission.enter("c")


def test_a_key_has_as_many_as_it_may_and_takes_none_of_another():
    admission = Admission(Limits(requests_per_key=2))
    for _ in range(2):
        admission.enter("static:ab")

    with pytest.raises(AllBusy) as raised:
        admission.enter("static:ab")

    assert (raised.value.http, raised.value.retry_after) == (429, 1)
    assert str(raised.value) == (
        "key static:ab has 2 requests under way, as many as one key may; retry in 1 s"
    )
    admission.enter("static:cd")
    admission.leave("static:ab")
    admission.enter("static:ab")


def test_who_brings_no_key_is_not_bound_by_the_limit_of_one():
    admission = Admission(Limits(requests_per_key=1))
    for _ in range(5):
        admission.enter(ANONYMOUS)

    assert admission.under_way == 5


def test_memory_is_checked_before_it_is_taken():
    admission = Admission(Limits(memory=1 << 20))
    admission.check_memory(1 << 20)
    admission.held += (1 << 20) - 10
    admission.check_memory(10)

    with pytest.raises(NotReady) as raised:
        admission.check_memory(11)

    assert raised.value.retry_after == 1
    assert str(raised.value) == (
        "bodies and answers under way fill the 1 MiB that this gateway has for them; retry in 1 s"
    )


class Comings(RuleBasedStateMachine):
    """Requests of some keys that enter and leave in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(Limits(requests=5, requests_per_key=2))
        self.inside: Counter[str] = Counter()

    @rule(who=st.sampled_from([ANONYMOUS, "a", "b", "c"]))
    def enter(self, who: str) -> None:
        if self.inside.total() == 5:
            with pytest.raises(NotReady):
                self.admission.enter(who)
        elif who != ANONYMOUS and self.inside[who] == 2:
            with pytest.raises(AllBusy):
                self.admission.enter(who)
        else:
            self.admission.enter(who)
            self.inside[who] += 1

    @rule(who=st.sampled_from([ANONYMOUS, "a", "b", "c"]))
    def leave(self, who: str) -> None:
        if self.inside[who]:
            self.admission.leave(who)
            self.inside[who] -= 1

    @invariant()
    def counts(self) -> None:
        assert self.admission.under_way == self.inside.total()

    def teardown(self) -> None:
        for who in self.inside.elements():
            self.admission.leave(who)
        assert self.admission.under_way == 0
        assert self.admission._by_key == {}  # what is over leaves nothing


TestComings = Comings.TestCase
