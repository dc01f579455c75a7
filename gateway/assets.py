"""What of an asset is the same wherever it is served, and how fast it is at best. Pure."""

from typing import Protocol
from weakref import WeakSet

from gateway.estimate import Estimate

_WEIGHT = 0.02  # of an answer for the mean length, once there are many
_LONG_ANSWER = 4_096.0  # tokens, which are not odd whatever the mean is
_ODD = 10.0
_LONGEST_ANSWER = 1e6
_REVIEW = 16  # changes between two looks at who is the fastest, at least


class Served(Protocol):
    """An asset at one service: tokens of prompts and of an answer a second, 0.0 when unknown."""

    @property
    def reads(self) -> float: ...
    @property
    def writes(self) -> float: ...


class Asset:
    """What is learned of one asset at all services that have it.

    answer: mean tokens, None when unknown. answers: that this was learned from. reads, writes:
    tokens a second of the fastest service, 0.0 when unknown. served: where it is.
    """

    __slots__ = (
        "__weakref__",
        "_unreviewed",
        "answer",
        "answers",
        "bytes_per_token",
        "reads",
        "served",
        "writes",
    )

    def __init__(self) -> None:
        self.reads = self.writes = 0.0
        self.answer: float | None = None
        self.answers = 0
        self.bytes_per_token = Estimate(0.1, 1e5, 0.1)
        self.served: WeakSet[Served] = WeakSet()
        self._unreviewed = 0

    def tell(self, answer: float | None, bytes_per_token: float | None) -> None:
        """Start from what others measured, where nothing was measured here."""
        self.bytes_per_token.tell(bytes_per_token)
        if answer is not None and not self.answers and 0.0 <= answer < float("inf"):
            self.answer = min(answer, _LONGEST_ANSWER)

    def written(self, tokens: float) -> None:
        """Take note of the length of an answer: a plain mean of the first 50, later ones fade."""
        mean = self.answer if self.answers and self.answer is not None else 0.0
        self.answers += 1
        tokens = min(tokens, max(_LONG_ANSWER, mean * _ODD), _LONGEST_ANSWER)
        self.answer = mean + max(_WEIGHT, 1 / self.answers) * (tokens - mean)

    def changed(self, served: Served) -> None:
        """Take note that a service is faster or slower than before.

        Who was the fastest may be so no longer: that is seen once for as many changes as
        there are services.
        """
        if served.reads > self.reads:
            self.reads = served.reads
        if served.writes > self.writes:
            self.writes = served.writes
        self._unreviewed -= 1
        if self._unreviewed <= 0:
            all_ = list(self.served)
            self._unreviewed = max(len(all_), _REVIEW)
            self.reads = max((one.reads for one in all_), default=0.0)
            self.writes = max((one.writes for one in all_), default=0.0)
