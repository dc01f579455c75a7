"""What our gateways believe that is not so: estimates that are off by a factor."""

from dataclasses import dataclass
from typing import Self

from control.api import completion
from gateway.rates import Rates

WHAT = ("prefill", "decode", "answer", "slots", "skew")


@dataclass(frozen=True, slots=True)
class Wrong:
    """One kind of estimate that is wrong by a factor, at all engines.

    what: speed of reading or writing, length of answers, slots; `skew`: both speeds, of every
    other engine.
    """

    what: str
    factor: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `prefill:2` says.

        Raises:
            ValueError: it says nothing that is known; the message is for people.
        """
        what, _, factor = text.partition(":")
        if what not in WHAT:
            raise ValueError(f"{what!r} is none of {', '.join(WHAT)}")
        try:
            number = float(factor)
        except ValueError:
            number = 0.0
        if not 0.01 <= number <= 100:
            raise ValueError(f"{factor!r} is no factor from 0.01 to 100, as in {what}:2")
        return cls(what, number)

    def slots(self, right: int) -> int:
        """Return the slots that are believed."""
        return max(1, round(right * self.factor)) if self.what == "slots" else right

    def rates(self, right: Rates, engine: int) -> "Rates | WrongRates":
        """Return the rates that are believed. engine: its number."""
        if self.what == "skew":
            factor = 1.0 if engine % 2 else self.factor
            return WrongRates(right, prefill=factor, decode=factor)
        if self.what in ("prefill", "decode", "answer"):
            return WrongRates(right, **{self.what: self.factor})
        return right


RIGHT = Wrong("", 1.0)


class WrongRates:
    """The rates of one service as they are believed: those that were learned, times a factor.

    What is learned goes where it is right.
    """

    def __init__(
        self, right: Rates, prefill: float = 1.0, decode: float = 1.0, answer: float = 1.0
    ) -> None:
        self._right = right
        self._prefill = prefill
        self._writing = answer / decode

    @property
    def prefill(self) -> float:
        return self._right.prefill * self._prefill

    @property
    def load_s(self) -> float:
        return self._right.load_s

    def prompt(self, size: int) -> float:
        return self._right.prompt(size)

    def prefill_s(self, size: int) -> float:
        return completion.prefill(self.prompt(size), self.prefill)

    def decode_s(self, need_most: int, concurrency: int) -> float:
        return self._right.decode_s(need_most, concurrency) * self._writing

    def token_s(self, concurrency: int) -> float:
        return self._right.token_s(concurrency) * self._writing

    def __getattr__(self, name: str) -> object:
        return getattr(self._right, name)
