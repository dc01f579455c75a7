"""What runs on real engines found, and what the simulator says of the same arrivals."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.promise import quantile

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEPT, PLOT = DOCS / "waiting.json", DOCS / "waiting.svg"

# What is promised: the first token within a second and four times what the fastest service
# takes for the prompt when idle, and every further one within a fifth of a second.
PROMISED_S, PROMPTS, TOKEN_S = 1.0, 4.0, 0.2
CLEAR = 1.1  # by how much two have to differ for their order to mean anything


@dataclass(frozen=True, slots=True)
class Alone:
    """What a service does alone. Tokens a second: of prompts, of one answer, of each of all."""

    service_id: str
    slots: int
    prefill: float
    decode: float
    full_decode: float

    @property
    def drag(self) -> float:
        """By how much of one answer's speed each further one slows all of them."""
        return max(0.0, self.decode / self.full_decode - 1) / max(1, self.slots - 1)


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured in one run."""

    round: int
    load: float
    room: bool
    strategy: str


@dataclass(frozen=True, slots=True)
class Run:
    """What it came to. Seconds of each request, in the order in which they came.

    first_s: until the first token, or until it was given up. waited_s: in the gateway. by: how
    many each service answered. unanswered: refused, failed or given up.
    """

    case: Case
    first_s: Sequence[float]
    waited_s: Sequence[float]
    good: int
    unanswered: int
    by: Mapping[str, int]

    @property
    def goodput(self) -> float:
        """The share of requests that were answered as promised."""
        return self.good / len(self.first_s)

    @property
    def first_p95(self) -> float:
        return quantile(self.first_s, 0.95)


@dataclass(slots=True)
class Results:
    """One whole measurement. capacity: requests a second of the mean size that all answer.

    prompt, answer: mean tokens. mix: how they were made, in words.
    """

    when: str
    machine: str
    mix: str
    prompt: float
    answer: float
    alone: list[Alone] = field(default_factory=list)
    capacity: float = 0.0
    runs: list[Run] = field(default_factory=list)
    predicted: list[Run] = field(default_factory=list)

    @property
    def fastest(self) -> Alone:
        return max(self.alone, key=lambda one: one.prefill)

    def is_good(self, prompt: int, first_s: float, token_s: float) -> bool:
        """Return whether a request with such a prompt was answered as promised."""
        in_time = first_s <= PROMISED_S + PROMPTS * prompt / self.fastest.prefill
        return in_time and token_s <= TOKEN_S

    def done(self, case: Case) -> bool:
        """Return whether there is a run of this case."""
        return any(one.case == case for one in self.runs)

    def write(self, path: Path) -> None:
        """Keep it; a reader sees the whole of it or what was there before."""
        part = path.with_suffix(".part")
        path.parent.mkdir(exist_ok=True)
        part.write_text(json.dumps(asdict(self)).replace('{"case"', '\n{"case"') + "\n")
        part.replace(path)


def read(path: Path = KEPT) -> Results:
    """Return what was kept."""
    found: dict[str, Any] = json.loads(path.read_text())
    found["alone"] = [Alone(**one) for one in found["alone"]]
    for name in ("runs", "predicted"):
        found[name] = [Run(**{**one, "case": Case(**one["case"])}) for one in found[name]]
    return Results(**found)


def cells(runs: Iterable[Run]) -> dict[tuple[float, str, bool], list[Run]]:
    """Return the rounds of each load, strategy and way to wait."""
    found: dict[tuple[float, str, bool], list[Run]] = {}
    for one in sorted(runs, key=lambda run: run.case.round):
        found.setdefault((one.case.load, one.case.strategy, one.case.room), []).append(one)
    return found


def pooled(runs: Iterable[Run], share: float) -> float:
    """Return a quantile of the seconds until the first token, over all rounds."""
    return quantile([first for one in runs for first in one.first_s], share)


def ahead(one: Sequence[Run], other: Sequence[Run]) -> bool:
    """Return whether `one` had the smaller p95 in every round, and clearly so over all."""
    clear = pooled(one, 0.95) * CLEAR < pooled(other, 0.95)
    return clear and all(a.first_p95 < b.first_p95 for a, b in zip(one, other, strict=True))


def rounded(seconds: float) -> float:
    """Return what is kept of a time."""
    return round(seconds, 3) if math.isfinite(seconds) else 0.0
