"""How many requests a service is believed to serve at the same time. Pure."""

START = (
    8  # of an engine of which nothing is known: half of the truth starves it, twice costs little
)
MOST = 1_024  # slots: nobody has more, and who says so is not believed

# In the predicted time: no longer than this; far later: longer than that.
PROMPT_FACTOR, PROMPT_S = 1.5, 0.05
LATE_FACTOR, LATE_S = 3.0, 0.25

_AGREEING = 2  # that came late, before it is believed that too many were there
_CONTRADICTING = 8  # that came late in a row where others were seen to start promptly
_LONGEST_PROOF = 256  # prompt starts before it is tried again whether there are more slots


class Capacity:
    """The slots of one service: as its node reports, else learned from how requests start.

    Believed without a report: as many as were seen to start promptly, at least. Twice as
    many are tried when the last slot is taken in vain; after each time that this was too much
    it takes longer until it is tried again.
    """

    __slots__ = ("_bounds", "_doubts", "_needed", "_prompt", "_proofs", "_reported", "slots")

    def __init__(self) -> None:
        self.slots = START
        self._reported = False
        self._prompt = 1  # that many were seen to start promptly, next to each other
        self._bounds: list[int] = []  # slots that there are at most, by those who came late
        self._doubts = 0  # who came late although `_prompt` says that they should not
        self._proofs = 0  # prompt starts at the last slot
        self._needed = 1  # of them, until more slots are tried

    def report(self, concurrency: int) -> None:
        """Take note of what its node tells: requests at the same time, 0 when unknown.

        What cannot be is unknown, too: what was believed last is where learning goes on.
        """
        self._reported = 0 < concurrency <= MOST
        if self._reported and concurrency != self.slots:
            self.slots = concurrency
            self._prompt = min(self._prompt, concurrency)
            self._forget()
            self._needed = 1

    def started(self, depth: int, took_s: float, predicted_s: float) -> None:
        """Take note of a first token, or of a whole answer where that comes in one piece.

        depth: others that were there when it was sent. took_s, predicted_s: seconds since then.
        No model was loaded meanwhile.
        """
        if self._reported or depth < 0:
            return
        if took_s <= predicted_s * PROMPT_FACTOR + PROMPT_S:
            self._started_promptly(depth)
        elif depth and took_s > predicted_s * LATE_FACTOR + LATE_S:
            self._too_many(depth)

    def refused(self, in_flight: int) -> None:
        """Take note that the engine said that it is busy. in_flight: there, this one included."""
        if not self._reported:
            self._bounds = [max(in_flight - 1, 1)] * (_AGREEING - 1)
            self._too_many(in_flight - 1)

    def queueing(self, in_flight: int, queue_depth: int) -> None:
        """Take note that of `in_flight` requests there so many wait inside the engine."""
        if not self._reported and 0 < queue_depth < in_flight:
            self._too_many(in_flight - queue_depth)

    def _started_promptly(self, depth: int) -> None:
        if self._bounds and depth >= min(self._bounds):
            self._forget()
        beside = min(depth + 1, MOST)
        if beside >= self._prompt:
            self._prompt = beside
            self._doubts = 0
        if beside < self.slots:
            return
        self._proofs += 1
        if self._proofs >= self._needed:
            self.slots = min(max(self.slots * 2, beside), MOST)
            self._proofs = 0
            self._needed = max(self._needed // 2, 1)

    def _too_many(self, bound: int) -> None:
        """Take note of a sign that there are at most `bound` slots, at least 1."""
        bound = max(bound, 1)
        if bound >= self.slots:
            return
        if bound < self._prompt:
            self._doubts += 1
            if self._doubts >= _CONTRADICTING:  # another engine may answer there now
                self._prompt = max(self._prompt // 2, 1)
                self._doubts = 0
        self._bounds.append(bound)
        if len(self._bounds) < _AGREEING:
            return
        # In the middle of what is possible: never less than half of the truth.
        lower = min(self._prompt, self.slots)
        self.slots = max(lower, (lower + max(self._bounds) + 1) // 2)
        self._forget()
        self._needed = min(self._needed * 4, _LONGEST_PROOF)

    def _forget(self) -> None:
        self._bounds = []
        self._proofs = 0
