"""When one service is out of rotation, and how it returns."""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from control.api.errors import UpstreamBadResponse, UpstreamError, UpstreamTimeout
from gateway.breaker import JITTER, NEVER, Breaker, State
from gateway.config import Ejection
from gateway.upstream import Unanswered, Unreachable

RULES = Ejection()
SWEEP = 0.25
ENDS = ["failed", "timeout", "answered", "left", "busy", "waited"]
TIMEOUT, LOST, REFUSED = UpstreamTimeout("t"), UpstreamError("l"), Unreachable("r")


class Watched:
    """A breaker, and how often it said that it changed."""

    def __init__(self, draw=lambda: 0.0, **rules):
        self.changes = 0
        self.breaker = Breaker(Ejection(**rules), draw, self._count)

    def _count(self):
        self.changes += 1

    def fail(self, *errors, now=0.0):
        for error in errors:
            self.breaker.failed(self.breaker.epoch, error, now)


def out(error=TIMEOUT, **rules):
    watched = Watched(failures=1, **rules)
    watched.fail(error)
    assert watched.breaker.state is State.OUT
    return watched


def half(**rules):
    """Return one that may be tried, at 10 s."""
    watched = out(**rules)
    breaker = watched.breaker
    breaker.checked(breaker.checkup_begins(10.0), None, 10.0)
    assert breaker.may_be_tried
    return watched


def test_it_is_out_after_failures_in_a_row_and_not_before():
    watched = Watched()
    watched.fail(*[TIMEOUT] * 4)
    assert watched.breaker.whole
    assert watched.changes == 0

    watched.fail(TIMEOUT)

    assert not watched.breaker.whole
    assert watched.changes == 1
    assert watched.breaker.ejection(4.0).remaining == 6.0


def test_an_answer_ends_a_row():
    watched = Watched(requests=100)
    for _ in range(20):
        watched.fail(*[TIMEOUT] * 4)
        watched.breaker.answered(watched.breaker.epoch, 0.0)

    assert watched.breaker.whole


def test_failures_in_a_row_need_not_be_soon_after_each_other():
    watched = Watched()
    for number in range(5):
        watched.fail(LOST, now=number * 3_600.0)

    assert watched.breaker.state is State.OUT


def test_it_is_out_when_a_share_of_enough_requests_fails():
    watched = Watched(failures=1_000, requests=12, share=0.5)
    for _ in range(5):
        watched.fail(LOST)
        watched.breaker.answered(watched.breaker.epoch, 1.0)
    watched.fail(LOST)
    assert watched.breaker.whole

    watched.fail(LOST)

    assert watched.breaker.ejection(0.0).reason == "7 of 12 failed"


def test_what_failed_before_the_window_does_not_count_for_the_share():
    watched = Watched(failures=1_000, requests=10, window=10.0)
    watched.fail(*[LOST] * 9, now=0.0)
    watched.fail(*[LOST] * 9, now=10.1)

    assert watched.breaker.whole


def test_successes_are_of_no_interest_while_nothing_failed_lately():
    watched = Watched()
    assert not watched.breaker.attentive
    watched.fail(LOST)
    assert watched.breaker.attentive
    watched.breaker.answered(0, 5.0)
    assert watched.breaker.attentive

    watched.breaker.answered(0, 10.1)

    assert not watched.breaker.attentive


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ([TIMEOUT] * 5, "5 timeouts"),
        ([REFUSED] * 5, "5 refused connections"),
        ([Unanswered("a")] * 5, "5 timeouts"),
        ([UpstreamBadResponse("b")] * 5, "5 unusable answers"),
        ([LOST] * 5, "5 failures"),
        ([TIMEOUT, REFUSED, TIMEOUT, TIMEOUT, TIMEOUT], "5 failures"),
    ],
)
def test_the_reason_is_in_words(errors, reason):
    watched = Watched()
    watched.fail(*errors)

    assert watched.breaker.ejection(0.0).reason == reason


def test_one_failure_is_enough_where_others_keep_it_out():
    watched = Watched()
    watched.breaker.hint(ejected=True)
    assert watched.breaker.whole

    watched.fail(TIMEOUT)

    assert watched.breaker.ejection(0.0).reason == "1 timeout"


def test_a_hint_that_is_taken_back_has_no_effect():
    watched = Watched()
    watched.breaker.hint(ejected=True)
    watched.breaker.hint(ejected=False)
    watched.fail(TIMEOUT)

    assert watched.breaker.whole


@pytest.mark.parametrize("error", [TIMEOUT, Unanswered("a")])
def test_who_does_not_answer_at_all_is_silent(error):
    assert out(error).breaker.silent


def test_what_was_seen_last_decides_whether_it_is_silent():
    watched = out(TIMEOUT)
    watched.fail(REFUSED)
    assert not watched.breaker.silent
    watched.breaker.checked(watched.breaker.checkup_begins(10.0), TIMEOUT, 12.0)
    assert watched.breaker.silent


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_pauses_that_begin_together_end_apart(draw):
    watched = out()
    watched.breaker._random = lambda: draw
    watched.breaker.checkup_begins(20.0)

    assert watched.breaker.ejection(20.0).remaining == pytest.approx(10 * (1 + JITTER * draw))


def test_a_checkup_is_due_after_the_pause_and_once():
    breaker = out().breaker
    assert not breaker.checkup_due(9.9)
    assert breaker.checkup_due(10.0)
    breaker.checkup_begins(10.0)

    assert not breaker.checkup_due(30.0)


def test_after_a_checkup_that_failed_it_stays_out_for_a_pause_from_its_begin():
    breaker = out().breaker
    breaker.checked(breaker.checkup_begins(10.0), TIMEOUT, 12.0)

    assert breaker.state is State.OUT
    assert breaker.ejection(12.0).remaining == 8.0


def test_one_request_may_try_it_and_its_answer_returns_it():
    breaker = half(slow_start=4.0).breaker
    breaker.try_now(11.0)
    assert not breaker.may_be_tried

    breaker.answered(breaker.epoch, 12.0)

    assert breaker.state is State.IN
    assert breaker.ramps
    assert [breaker.share(now) for now in (12.0, 13.0, 16.0, 20.0)] == [0.0, 0.25, 1.0, 1.0]
    assert breaker.next_end == 16.0
    breaker.pass_time(15.9)
    assert not breaker.whole
    breaker.pass_time(16.0)
    assert breaker.whole
    assert breaker.next_end == NEVER


def test_a_trial_that_fails_puts_it_out_until_a_pause_after_it_began():
    """A trial may take as long as patience lasts: the engine may have recovered meanwhile."""
    breaker = half().breaker
    breaker.try_now(11.0)
    breaker.failed(breaker.epoch, TIMEOUT, 12.0)

    assert breaker.state is State.OUT
    assert breaker.ejection(12.0).remaining == 9.0


def test_a_trial_that_tells_nothing_gives_its_place_back():
    breaker = half().breaker
    breaker.try_now(11.0)
    breaker.left(breaker.epoch)

    assert breaker.may_be_tried


def test_while_nobody_tries_it_somebody_looks_once_a_pause():
    """Who left the table meanwhile would be kept in mind for ever else."""
    breaker = half().breaker
    assert breaker.ejection(11.0).remaining == 0.0
    assert not breaker.checkup_due(19.9)
    epoch = breaker.checkup_begins(20.0)
    assert breaker.may_be_tried
    breaker.try_now(20.1)

    breaker.checked(epoch, None, 20.2)

    assert not breaker.may_be_tried


def test_a_trial_that_takes_longer_than_the_pause_blocks_nobody_and_still_counts():
    """An engine that needs a minute for an answer would never return else."""
    breaker = half().breaker
    breaker.try_now(11.0)
    slow = breaker.epoch
    assert breaker.checkup_due(21.0)
    breaker.checked(breaker.checkup_begins(21.0), None, 21.1)
    assert breaker.may_be_tried
    breaker.try_now(21.2)

    breaker.answered(slow, 40.0)

    assert breaker.state is State.IN


def test_a_trial_of_one_that_is_gone_again_ends_with_the_next_checkup():
    breaker = half().breaker
    breaker.try_now(11.0)
    breaker.checked(breaker.checkup_begins(21.0), REFUSED, 21.1)

    assert breaker.state is State.OUT


def test_without_slow_start_it_is_whole_at_once():
    breaker = half(slow_start=0.0).breaker
    breaker.answered(breaker.epoch, 12.0)

    assert breaker.whole


def test_the_begin_of_an_answer_returns_it_and_is_no_success_yet():
    breaker = half().breaker
    breaker.try_now(11.0)
    breaker.begins(breaker.epoch, 12.0)
    assert breaker.state is State.IN

    for _ in range(5):  # of one that always breaks off
        breaker.begins(breaker.epoch, 13.0)
        breaker.failed(breaker.epoch, LOST, 13.0)
    assert breaker.state is State.OUT


def test_a_trial_that_breaks_off_counts_as_the_failure_that_it_is():
    breaker = half().breaker
    breaker.try_now(11.0)
    epoch = breaker.begins(breaker.epoch, 12.0)
    breaker.failed(epoch, LOST, 13.0)

    assert breaker.state is State.OUT


def test_what_began_before_it_fell_does_not_count_after_it_returned():
    breaker = half().breaker
    before = breaker.epoch
    breaker.begins(before, 12.0)

    assert breaker.begins(before, 13.0) == before
    breaker.failed(before, LOST, 13.0)
    assert breaker.state is State.IN


def test_a_request_that_found_it_working_while_it_was_out_returns_it():
    breaker = out().breaker
    breaker.answered(breaker.epoch, 1.0)

    assert breaker.state is State.IN


@pytest.mark.parametrize("tell", ["failed", "answered", "left"])
def test_what_began_before_a_change_changes_nothing(tell):
    """ABA: a request of long ago says nothing of the service that came back since."""
    breaker = half().breaker
    breaker.try_now(11.0)
    epoch = breaker.epoch
    breaker.answered(epoch, 12.0)
    breaker.pass_time(100.0)
    calls = {
        "failed": lambda: [breaker.failed(epoch, TIMEOUT, 100.0) for _ in range(50)],
        "answered": lambda: breaker.answered(epoch, 100.0),
        "left": lambda: breaker.left(epoch),
    }

    calls[tell]()

    assert breaker.whole
    assert not breaker.attentive


@pytest.mark.parametrize(
    ("told", "rest"),
    [(1, 1), (30.0, 30), (1e9, 60), (float("inf"), 60), (0, 0), (-5, 0), (float("nan"), 0)],
)
def test_who_is_busy_rests_for_a_minute_at_most(told, rest):
    watched = Watched()
    watched.breaker.rests(told, 100.0)

    assert watched.breaker.rests_now == (rest > 0)
    assert watched.breaker.ejection(100.0) is None
    assert watched.breaker.next_end == (100 + rest if rest else NEVER)
    watched.breaker.pass_time(100.0 + rest)
    assert watched.breaker.whole


def test_a_shorter_rest_does_not_end_a_longer_one():
    watched = Watched()
    watched.breaker.rests(30, 0.0)
    watched.breaker.rests(1, 0.0)

    watched.breaker.pass_time(2.0)
    assert watched.breaker.rests_now


def test_what_is_forgotten_is_whole():
    for watched in (out(), half()):
        watched.breaker.rests(30, 0.0)
        watched.breaker.forget()
        assert watched.breaker.whole


def doubted(times=5):
    breaker = Watched().breaker
    for _ in range(times):
        breaker.doubted(breaker.epoch, 3.0)
    assert breaker.whole
    assert breaker.checkup_due(3.0)
    return breaker


def test_waiting_in_vain_counts_if_a_checkup_fails_too():
    breaker = doubted()
    breaker.checked(breaker.checkup_begins(3.0), TIMEOUT, 5.0)

    assert breaker.ejection(5.0).reason == "5 timeouts"


@pytest.mark.parametrize(("times", "error"), [(500, None), (4, TIMEOUT)])
def test_impatience_alone_puts_nobody_out(times, error):
    breaker = doubted(times)
    breaker.checked(breaker.checkup_begins(3.0), error, 5.0)

    assert breaker.whole
    assert not breaker.checkup_due(1_000.0)


def test_who_is_doubted_and_leaves_the_table_is_forgotten():
    breaker = doubted()
    breaker.forget()

    assert not breaker.doubtful
    assert not breaker.checkup_due(1_000.0)


class Machine(RuleBasedStateMachine):
    """Requests, checkups, time and hints in any order; a result may come at any time."""

    @initialize(
        pause=st.sampled_from([1.0, 10.0]),
        slow_start=st.sampled_from([0.0, 10.0]),
        failures=st.integers(1, 4),
        seed=st.integers(0, 99),
    )
    def begin(self, pause, slow_start, failures, seed):
        self.now = 1_000.0
        self.rules = Ejection(pause=pause, slow_start=slow_start, failures=failures, requests=4)
        self.breaker = Breaker(self.rules, random.Random(seed).random, lambda: None)
        self.under_way = []  # epochs in which requests began
        self.looks = None  # epoch in which a checkup began
        self.looks_count = False  # whether no trial has begun since

    @rule(seconds=st.sampled_from([0.01, SWEEP, 1.0, 5.0, 20.0]))
    def time_passes(self, seconds):
        self.now += seconds
        self.breaker.pass_time(self.now)
        if self.looks is None and self.breaker.checkup_due(self.now):
            self.looks = self.breaker.checkup_begins(self.now)
            self.looks_count = True

    @rule()
    def a_request_begins(self):
        state, epoch = self.breaker.state, self.breaker.epoch
        if state is State.HALF:
            if not self.breaker.may_be_tried:
                return
            self.breaker.try_now(self.now)
            self.looks_count = False
            assert not self.breaker.may_be_tried  # nobody else
        assert self.breaker.epoch == epoch
        self.under_way.append(epoch)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), end=st.sampled_from(ENDS))
    def a_request_ends(self, data, end):
        index = data.draw(st.integers(0, len(self.under_way) - 1))
        epoch, before = self.under_way.pop(index), self._facts()
        if end == "left":
            self.breaker.left(epoch)
        elif end == "waited":
            self.breaker.doubted(epoch, self.now)
        elif end in ("answered", "busy"):
            self.breaker.answered(epoch, self.now)
        else:
            self.breaker.failed(epoch, TIMEOUT if end == "timeout" else LOST, self.now)
        if epoch != before[0]:
            assert self._facts() == before
        elif end == "answered":
            assert self.breaker.state is State.IN
        elif end in ("failed", "timeout") and before[1] is not State.IN:
            assert self.breaker.state is State.OUT
        if end == "busy":
            self.breaker.rests(5, self.now)

    @precondition(lambda self: self.looks is not None)
    @rule(error=st.sampled_from([None, REFUSED, TIMEOUT]))
    def a_checkup_ends(self, error):
        looked, before = self.looks, self._facts()
        self.looks = None
        self.breaker.checked(looked, error, self.now)
        if looked != before[0] or not self.looks_count:
            assert self._facts() == before
        elif before[1] is not State.IN:
            assert self.breaker.state is (State.HALF if error is None else State.OUT)
        else:
            assert not self.breaker.doubtful
            assert error is not None or self.breaker.state is State.IN

    @rule(ejected=st.booleans())
    def others_are_heard(self, ejected):
        before = self._facts()
        self.breaker.hint(ejected=ejected)
        assert self._facts() == before

    @rule()
    def all_is_well_again(self):
        """From anywhere it returns within a pause and a second, whatever never ended."""
        if self.looks is not None:
            self.a_checkup_ends(REFUSED)
        healed = self.now
        while self.breaker.state is not State.IN:
            assert self.now - healed <= self.rules.pause + 1
            self.now += SWEEP
            self.breaker.pass_time(self.now)
            if self.breaker.checkup_due(self.now):
                self.breaker.checked(self.breaker.checkup_begins(self.now), None, self.now)
            if self.breaker.may_be_tried:
                self.breaker.try_now(self.now)
                self.breaker.answered(self.breaker.epoch, self.now)

    @invariant()
    def what_it_says_fits_together(self):
        breaker = self.breaker
        inside = breaker.state is State.IN
        assert breaker.whole == (inside and not breaker.rests_now and not breaker.ramps)
        assert (breaker.ejection(self.now) is None) == inside
        assert inside or breaker.attentive
        assert inside or breaker._next_look < NEVER  # somebody will look
        assert 0 <= breaker.share(self.now) <= 1

    def _facts(self):
        breaker = self.breaker
        facts = (breaker.epoch, breaker.state, breaker.whole, breaker.attentive)
        return (*facts, breaker.may_be_tried, breaker.ejection(self.now))


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
