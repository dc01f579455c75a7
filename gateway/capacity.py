"""How many requests a service is believed to serve at the same time. Pure."""

# Of an engine of which nothing is known. Half of the truth starves it, twice costs little.
START = 8
MOST = 1_024  # no engine has more, and who says so is not believed

# As predicted is what takes no longer than this; far later what takes longer than that.
# Source: simulated, with both half as strict, four equal engines lost 7 to 9 points of goodput.
_PROMPT_FACTOR, _PROMPT_S = 1.2, 0.05
_LATE_FACTOR, _LATE_S = 2.0, 0.25

_SIGHTINGS = 3  # of more beside each other than before, those that were late taken off: one is luck
_SIGNS = 2  # that came late, until it is believed that too many were there
_QUEUES = 8  # tellings in a row that some wait inside: what a node tells may be old by then
_DOUBTS = 8  # signs in a row that even what was seen before is true no longer
_MOST_NEEDED = 256


class Capacity:
    """The slots of one service: as its node reports, else learned from how requests start.

    When the last of them is taken and the request starts promptly all the same, twice as many
    are tried; the more often that was too much, the later it is tried again.
    """

    __slots__ = (
        "_bounds",
        "_doubts",
        "_higher",
        "_needed",
        "_proofs",
        "_queued",
        "_reported",
        "_seen",
        "slots",
    )

    def __init__(self) -> None:
        self.slots = START
        self._reported = False
        self._seen = 1  # that many beside each other start promptly
        self._higher: list[int] = []  # likewise, of more than these; not certain yet
        self._bounds: list[int] = []  # slots there are at most, by each that came late
        self._queued: list[int] = []  # likewise, by each telling that some wait inside
        self._doubts = 0  # signs that there are fewer than were seen
        self._proofs = 0  # prompt starts at the last slot
        self._needed = 1  # of these, until more are tried

    def report(self, concurrency: int) -> None:
        """Believe its node: requests at the same time, 0 when unknown.

        What no engine has is unknown, too; what was believed last is where learning begins.
        """
        self._reported = 0 < concurrency <= MOST
        if self._reported and concurrency != self.slots:
            self.slots = concurrency
            self._seen = min(self._seen, concurrency)
            self._higher.clear()
            self._needed = 1
            self._settle()

    def started(self, depth: int, took_s: float, predicted_s: float) -> None:
        """Take note of a first token, or of a whole answer where that comes in one piece.

        depth: others that were there when it was sent. took_s, predicted_s: seconds from then
        on. Not of requests that waited for the model to be loaded.
        """
        if self._reported or depth < 0:
            return
        beside = min(depth + 1, MOST)
        if took_s <= predicted_s * _PROMPT_FACTOR + _PROMPT_S:
            self._start_promptly(beside)
            return
        if beside > self._seen and self._higher:
            self._higher.pop()
        if beside >= self.slots:
            self._proofs = max(self._proofs - 1, 0)
        if depth and took_s > predicted_s * _LATE_FACTOR + _LATE_S:
            self._doubt(depth)

    def refused(self, in_flight: int) -> None:
        """Take note that the engine said that it is busy. in_flight: there, this one included."""
        self._bounds = self._bounds or [1]  # it knows better than any sign
        self._doubt(in_flight - 1)

    def queueing(self, in_flight: int, queue_depth: int) -> None:
        """Take note of what its node tells: so many of those in flight wait inside the engine."""
        if queue_depth <= 0:
            self._queued.clear()
        elif (running := in_flight - queue_depth) > 0:  # else others ask it, too
            self._queued.append(running)
            if len(self._queued) == _QUEUES:
                bound = max(self._queued)
                self._queued.clear()
                self._bounds.append(bound)
                self._doubt(bound)

    def _start_promptly(self, beside: int) -> None:
        """Take note that one started promptly, with so many there, itself included."""
        if self._bounds and beside > min(self._bounds):
            self._bounds.clear()
        if beside >= self._seen:
            self._doubts = 0
        if beside > self._seen:
            self._higher.append(beside)
            if len(self._higher) == _SIGHTINGS:
                self._seen = min(self._higher)
                self._higher.clear()
        if beside >= self.slots:
            self._proofs += 1
            if self._proofs >= self._needed:
                self.slots = min(max(self.slots * 2, beside), MOST)
                self._needed = max(self._needed // 2, 1)
                self._settle()

    def _doubt(self, bound: int) -> None:
        """Take note of a sign that there are at most `bound` slots."""
        bound = max(bound, 1)
        if self._reported or bound >= self.slots:
            return
        if bound < self._seen:
            self._doubts += 1
            if self._doubts >= _DOUBTS:  # it may be another engine by now
                self._seen = max(self._seen // 2, 1)
                self._doubts = 0
                self._needed = 1
        self._bounds.append(bound)
        if len(self._bounds) >= _SIGNS:
            # Half way down to what is certain: never less than half of the truth.
            half_way = (self._seen + max(self._bounds) + 1) // 2
            fewer = max(self._seen, half_way)
            if fewer < self.slots:
                self.slots = fewer
                self._needed = min(self._needed * 4, _MOST_NEEDED)
            self._settle()

    def _settle(self) -> None:
        self._bounds.clear()
        self._proofs = 0
