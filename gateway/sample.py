"""One attempt that is measured: what it tells of how fast a service is, and of its slots."""

from control.api.completion import OVERHEAD_S
from gateway.load import DIGITS
from gateway.reasoning import Usage
from gateway.residency import Residency
from gateway.route import Choice
from gateway.timings import Timings

# A prompt of fewer bytes, or one that is read so soon, keeps no engine busy.
LONG_PROMPT, LONG_READING_S = 1_000, 0.05


def reading_s(choice: Choice, size: int) -> float:
    """Return for how many seconds a service is busy with a prompt of so many bytes; 0 if short."""
    if size <= LONG_PROMPT:
        return 0.0
    seconds = choice.rates.prefill_s(size) - OVERHEAD_S
    return round(seconds, DIGITS) if seconds > LONG_READING_S else 0.0


def is_telling(choice: Choice, now: float) -> bool:
    """Return whether an attempt that begins now is worth to be measured; most are not.

    now: seconds of the clock.
    """
    load = choice.upstream
    if choice.absent or load.switch is not None:
        return True
    if not load.concurrency and load.in_flight + load.elsewhere >= load.capacity.slots:
        return True  # whether there are more slots shows only there
    return choice.rates.due(now)


class Sample:
    """An attempt, from its beginning on. It is counted in flight, and its prompt is not yet.

    events: of its answer. timings: what the engine told in it.
    """

    __slots__ = ("_ahead_s", "_choice", "_depth", "_first_s", "_sent", "_size", "events", "timings")

    def __init__(self, choice: Choice, size: int, now: float) -> None:
        """size: bytes of the request. now: seconds of the clock, here and below."""
        load = choice.upstream
        self._choice = choice
        self._size = size
        self._sent = now
        self._depth = load.in_flight + load.elsewhere - 1  # others that are there
        self._ahead_s = load.unread_s
        self._first_s: float | None = None  # until its first token, if that was seen
        self.events = 0
        self.timings: Timings | None = None

    def started(self, residency: Residency, now: float) -> None:
        """Take note of the first token."""
        load, rates = self._choice.upstream, self._choice.rates
        self._first_s = took_s = now - self._sent
        foreseen_s = self._foreseen_s
        if self._loads_model:
            rates.loaded(took_s - foreseen_s)
            residency.started(self._choice, now)
            return
        if rates.reads:  # else what was foreseen is a guess
            load.capacity.started(self._depth, took_s, foreseen_s)
        if self._depth < load.slots:  # beyond them it waited for one, too
            rates.first_token(self._size, self._ahead_s, took_s, now)

    def refused(self, residency: Residency, now: float) -> None:
        """Take note that the engine would not answer; of its speed that tells nothing."""
        residency.started(self._choice, now)

    def answered(
        self, residency: Residency, first_s: float | None, usage: Usage | None, now: float
    ) -> None:
        """Take note of the whole answer.

        first_s: seconds until its first byte, which may be a comment; None where it came in one
        piece.
        """
        load, rates = self._choice.upstream, self._choice.rates
        whole_s = now - self._sent
        streamed = first_s is not None
        if first_s is None and not self._came_whole(residency, whole_s, usage, now):
            return
        beside = (self._depth + load.in_flight + load.elsewhere) // 2  # on the average
        rates.answered(
            self._size,
            min(beside, load.slots - 1),
            self._first_s or first_s or whole_s,
            whole_s,
            usage,
            self.timings,
            self.events,
            streamed=streamed,
            now=now,
        )

    def _came_whole(
        self, residency: Residency, whole_s: float, usage: Usage | None, now: float
    ) -> bool:
        """Take note of an answer in one piece; return whether it tells how fast it was made."""
        load, rates = self._choice.upstream, self._choice.rates
        tokens = rates.answer if usage is None else usage.completion_tokens
        writing_s = tokens * rates.token_s(min(self._depth + 1, load.slots))
        foreseen_s = self._foreseen_s + writing_s
        waited = self._depth >= load.slots
        if load.switch is not None:
            if self._loads_model:
                rates.loaded(whole_s - foreseen_s)
                waited = True
            residency.started(self._choice, now)
        elif usage is not None and rates.reads:
            load.capacity.started(self._depth, whole_s, foreseen_s)
        return not waited or self.timings is not None

    @property
    def _foreseen_s(self) -> float:
        return self._ahead_s + self._choice.rates.prefill_s(self._size)

    @property
    def _loads_model(self) -> bool:
        switch = self._choice.upstream.switch
        return switch is not None and switch.asset == self._choice.asset and not switch.started
