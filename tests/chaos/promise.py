"""A promise, the run that measures it, and the figures that decide whether it is kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Form = Literal["short", "full"]

# A busy machine must not fail a test: what it slows down may take ten times as long there.
SLACK_IN_TESTS = 10.0


class NotMeasurable(Exception):
    """This machine cannot run it; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and the bound it must keep; without a bound it is told, not judged.

    timed: the machine has a part in it, so that a test allows more than a full run.
    """

    what: str
    measured: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    timed: bool = False

    def holds(self, slack: float = 1.0) -> bool:
        """Return whether the bound is kept; what is timed may be `slack` times as much."""
        allowed = slack if self.timed else 1.0
        above = self.at_least is None or self.measured >= self.at_least / allowed
        return above and (self.at_most is None or self.measured <= self.at_most * allowed)


@dataclass(frozen=True, slots=True)
class Promise:
    """How one promise is measured.

    run: called with an empty folder and the parameters of a form; returns figures or
    raises `NotMeasurable`.
    """

    run: Callable[..., list[Figure]]
    short: Mapping[str, Any] = field(default_factory=dict)  # seconds; part of the tests
    full: Mapping[str, Any] = field(default_factory=dict)  # minutes, fifteen at most

    def measure(self, form: Form, folder: Path) -> list[Figure]:
        return self.run(folder, **(self.full if form == "full" else self.short))


def none(what: str, measured: int) -> Figure:
    """Return a figure that must be 0."""
    return Figure(what, measured, at_most=0)


def all_of(what: str, measured: int, total: int) -> Figure:
    """Return a figure that must reach `total`."""
    return Figure(what, measured, f"of {total:,}", at_least=total)


def seconds(what: str, measured: float, at_most: float | None = None) -> Figure:
    return Figure(what, round(measured, 3), "s", at_most=at_most, timed=True)


def milliseconds(what: str, measured: float, at_most: float | None = None) -> Figure:
    """Return a figure in milliseconds of `measured` seconds; the bound is in milliseconds too."""
    return Figure(what, round(measured * 1000, 2), "ms", at_most=at_most, timed=True)


def told(what: str, measured: float, unit: str = "") -> Figure:
    """Return a figure without a bound."""
    return Figure(what, measured, unit)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of them do not exceed; 0.0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
