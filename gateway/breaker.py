"""Whether one service is in rotation: by how its requests ended, and by nothing else.

Pure: whoever asks it tells what happened, and when. A service is

    IN   ── failures in a row, or a large share of them ──▶  OUT
    OUT  ── its pause is over, and a checkup went well ────▶  HALF
    HALF ── one request was answered ──▶  IN, at first with a part of the requests
         ── it failed, or the next checkup did ──▶  OUT

and beside that it rests while it is busy, as it says itself. What a request tells counts in
the state in which the request began (`epoch`) and in no other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from control.api.errors import GenieHiveError, Upstream
from gateway.config import Ejection

MAX_REST_SECONDS = 60.0
# Pauses that begin together end apart; longer only, so that nobody is asked more often.
JITTER = 0.05

NEVER = float("inf")

Random = Callable[[], float]  # 0 to 1, 1 excluded


class State(Enum):
    """Whether it serves."""

    IN = auto()
    OUT = auto()
    HALF = auto()  # it may be tried


@dataclass(frozen=True, slots=True)
class Ejected:
    """That a service is out.

    remaining: seconds until it is looked at again; 0 when a request may try it.
    """

    remaining: float
    reason: str  # for people: "5 timeouts"
    hinted: bool = False  # less was enough, because others kept it out


class Breaker:
    """One service, as one process sees it. `now`: seconds of one clock, in all calls.

    epoch: grows with each change of state. attentive: whether successes are of interest.
    whole: nothing is special about it. silent: it does not answer at all, so that who asks
    it waits; else it fails, and quickly. reason: why it was taken out last, for people.
    """

    __slots__ = (
        "_answers",
        "_by_hint",
        "_changed",
        "_checking",
        "_doubts",
        "_failures",
        "_free",
        "_hinted",
        "_in_a_row",
        "_next_look",
        "_ramps_until",
        "_random",
        "_rests_until",
        "_rules",
        "_window_end",
        "_words",
        "attentive",
        "epoch",
        "reason",
        "silent",
        "state",
        "whole",
    )

    def __init__(self, rules: Ejection, random: Random, changed: Callable[[], None]) -> None:
        """changed: called after each change of what it may be asked."""
        self._rules = rules
        self._random = random
        self._changed = changed
        self.epoch = 0
        self.state = State.IN
        self.whole = True
        self.silent = False
        self.reason = ""
        self._hinted = self._by_hint = False  # what others do, and that it is out for that
        self._rests_until = self._ramps_until = -NEVER
        self._next_look = NEVER  # while it is not in: when a checkup is due
        self._checking = False
        self._free = False  # HALF: whether nobody tries it
        self._doubts = 0  # IN: requests that ended without a word of it
        # IN: what failed lately.
        self.attentive = False
        self._in_a_row = self._failures = self._answers = 0
        self._words = _words(None)
        self._window_end = -NEVER

    # What requests tell.

    def failed(self, epoch: int, error: GenieHiveError, now: float) -> None:
        """Count a failure of the engine. error: what it was, with a word for several of it."""
        if epoch != self.epoch:
            return
        if self.state is State.IN:
            self._count_failure(error, now)
        else:  # it was tried, or asked though it is out: the pause goes on from there
            self._go_out(error, self._next_look)

    def begins(self, epoch: int, now: float) -> int:
        """Take note that an answer begins, enough to be back; return the epoch it goes on in.

        A stream may take minutes, and one that breaks off is still a failure.
        """
        if epoch == self.epoch and self.state is not State.IN:
            self._return(now)
            return self.epoch
        return epoch

    def answered(self, epoch: int, now: float) -> None:
        """Count an answer that shows that the engine works."""
        if epoch != self.epoch:
            return
        if self.state is not State.IN:
            self._return(now)
        elif self.attentive:
            self._in_a_row = 0
            self._answers += 1
            if now > self._window_end:
                self._forget_failures()

    def left(self, epoch: int) -> None:
        """Take note that a request ended without telling anything of the engine."""
        if epoch == self.epoch and self.state is State.HALF and not self._free:
            self._free = True
            self._changed()

    def doubted(self, epoch: int, now: float) -> None:
        """Take note that somebody gave up waiting, who was not told a word.

        A client may have no patience, so that this says little, but a checkup is due: if it
        fails as well, it was a failure.
        """
        if epoch == self.epoch and self.state is State.IN:
            self._doubts += 1
            if self._next_look == NEVER:
                self._next_look = now
                self._changed()

    def rests(self, seconds: float, now: float) -> None:
        """Do not prefer it for `seconds`, at most 60: it says that it is busy.

        That is an answer, too, which is told apart from this.
        """
        until = now + min(seconds, MAX_REST_SECONDS)
        if until > max(self._rests_until, now):
            self._rests_until = until
            self._renew()

    def hint(self, *, ejected: bool) -> None:
        """Hear whether others keep it out: then one failure is enough."""
        self._hinted = ejected

    # What time brings.

    def pass_time(self, now: float) -> None:
        """End what is over by now."""
        if self.next_end <= now:
            self._rests_until = _after(self._rests_until, now)
            self._ramps_until = _after(self._ramps_until, now)
            self._renew()

    @property
    def next_end(self) -> float:
        """When something is over, seconds of the clock."""
        return min(_or_never(self._rests_until), _or_never(self._ramps_until))

    # Checkups, and who may try it.

    def checkup_due(self, now: float) -> bool:
        """Return whether it is time to look if it answers."""
        return now >= self._next_look and not self._checking

    def checkup_begins(self, now: float) -> int:
        """Take note that somebody looks; return the epoch, for `checked`."""
        self._checking = True
        self._next_look = self._after_pause(now)
        return self.epoch

    def checked(self, epoch: int, error: GenieHiveError | None, now: float) -> None:
        """Take what a checkup found: None, that it answers."""
        if epoch != self.epoch or not self._checking:
            return
        self._checking = False
        if self.state is State.IN:
            self._settle(error, now)
        elif error is None:
            self._open_half(free=True, next_look=self._next_look)
        else:
            self._go_out(error, self._next_look)

    @property
    def doubtful(self) -> bool:
        """Whether it is in rotation, and somebody should look at it all the same."""
        return self.state is State.IN and self._next_look < NEVER

    @property
    def may_be_tried(self) -> bool:
        """Whether one request may find out if it works."""
        return self.state is State.HALF and self._free

    def try_now(self, now: float) -> None:
        """Let one request find out, nobody else until it ended or another pause is over.

        Who waits longer than that may still be answered, so its word goes on to count.
        """
        self._open_half(free=False, next_look=self._after_pause(now))

    def forget(self) -> None:
        """Know nothing bad of it any more."""
        if self.state is not State.IN or self.doubtful:
            self._enter(State.IN)
        self._rests_until = self._ramps_until = -NEVER
        self._renew()

    # What others ask.

    def ejection(self, now: float) -> Ejected | None:
        """Return why it is out and for how long still; None while it is in."""
        if self.state is State.IN:
            return None
        remaining = 0.0 if self.may_be_tried else max(0.0, self._next_look - now)
        return Ejected(remaining, self.reason, self._by_hint)

    @property
    def rests_now(self) -> bool:
        """Whether it is busy, as it says itself."""
        return self._rests_until > -NEVER

    @property
    def ramps(self) -> bool:
        """Whether it has come back, and not to its full part yet."""
        return self._ramps_until > -NEVER

    def share(self, now: float) -> float:
        """Return what part of its requests it gets, 0 to 1."""
        if not self.ramps:
            return 1.0
        return min(1.0, max(0.0, 1 - (self._ramps_until - now) / self._rules.slow_start))

    # How it changes.

    def _count_failure(self, error: GenieHiveError, now: float) -> None:
        if now > self._window_end:
            self._failures = self._answers = 0
            self._window_end = now + self._rules.window
        self.attentive = True
        words = _words(error)
        self._words = words if words == self._words or not self._in_a_row else _words(None)
        self._in_a_row += 1
        self._failures += 1
        seen = self._failures + self._answers
        large = seen >= self._rules.requests and self._failures >= self._rules.share * seen
        if self._in_a_row >= (1 if self._hinted else self._rules.failures):
            self.reason = f"{self._in_a_row} {self._words[self._in_a_row > 1]}"
        elif large:
            self.reason = f"{self._failures} of {seen} failed"
        else:
            return
        self._by_hint = self._in_a_row < self._rules.failures and not large
        self._go_out(error, self._after_pause(now))

    def _settle(self, error: GenieHiveError | None, now: float) -> None:
        """Count those who gave up waiting, unless it answers."""
        doubts, self._doubts = self._doubts, 0
        self._next_look = NEVER
        self._changed()
        if error is not None:
            for _ in range(min(doubts, self._rules.failures)):
                self.failed(self.epoch, error, now)
                if self.state is not State.IN:
                    break

    def _go_out(self, error: GenieHiveError, next_look: float) -> None:
        """Be out; what was seen of it last decides whether it is silent."""
        silent = isinstance(error, Upstream) and error.silent
        if self.state is State.OUT and silent == self.silent:
            return
        self.silent = silent
        if self.state is not State.OUT:
            self._next_look = next_look
            self._enter(State.OUT)
        self._renew()

    def _open_half(self, *, free: bool, next_look: float) -> None:
        if self.state is not State.HALF:
            self._enter(State.HALF)
        self._free, self._next_look = free, next_look
        self._checking = False  # what is under way does not know of this
        self._changed()

    def _return(self, now: float) -> None:
        self._enter(State.IN)
        if self._rules.slow_start:
            self._ramps_until = now + self._rules.slow_start
        self._renew()

    def _enter(self, state: State) -> None:
        self.state = state
        self.epoch += 1
        self._checking = False
        self._doubts = 0
        self._ramps_until = -NEVER
        if state is State.IN:
            self._next_look = NEVER
            self._forget_failures()
        else:
            self.attentive = True

    def _forget_failures(self) -> None:
        self.attentive = False
        self._in_a_row = self._failures = self._answers = 0
        self._words = _words(None)
        self._window_end = -NEVER

    def _after_pause(self, now: float) -> float:
        return now + self._rules.pause * (1 + JITTER * self._random())

    def _renew(self) -> None:
        self.whole = self.state is State.IN and not self.rests_now and not self.ramps
        self._changed()


def _words(error: GenieHiveError | None) -> tuple[str, str]:
    return error.counted if isinstance(error, Upstream) else Upstream.counted


def _after(end: float, now: float) -> float:
    return end if end > now else -NEVER


def _or_never(end: float) -> float:
    return end if end > -NEVER else NEVER
