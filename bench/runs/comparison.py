"""Two runs side by side: what changed, and whether that is more than noise.

A figure is the mean, over the cases, of the median of each: cases differ more than requests
do, and a median over all of them would lie between two and tell of neither. Intervals are
bootstrapped: the requests of each run are drawn anew, with replacement, again and again, and
the middle 95 % of the changes seen are the interval. Chance is seeded, so that the same two
files always say the same.
"""

import math
import random
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from bench.runs.report import Document

SEED = 5
DRAWS = 1_000
WORK = 4_000_000  # values drawn for one figure, at most: a second or two
FEWEST = 5  # requests of a run: fewer tell nothing of noise
FEWEST_OF_CASE = 3
MOST = 1e12  # milliseconds or tokens a second: beyond it nothing was measured

Verdict = Literal["better", "worse", "within noise", "too few to tell", "no single times"]
Groups = Mapping[tuple[str, str], Sequence[float]]  # values by workload and case
Statistic = Callable[[Groups], float]


@dataclass(frozen=True, slots=True)
class Figure:
    """What is compared. field: of a request. sample: the result of a sample that is like it."""

    title: str
    field: str
    sample: str
    lower_is_better: bool


FIGURES = (
    Figure("TTFT p50", "ttft_ms", "ttft_ms", True),
    Figure("between p50", "inter_token_ms", "inter_token_ms", True),
    Figure("latency p50", "latency_ms", "p50_latency_ms", True),
    Figure("tokens/s", "tokens_per_sec", "tokens_per_sec", False),
)
PASSED = Figure("passed", "passed", "pass_rate", False)


@dataclass(frozen=True, slots=True)
class Change:
    """A figure, before and after. Changes are shares of the old one: -0.2 is a fifth less.

    For `passed`, figures are rates and changes their difference. old_count, new_count: requests.
    """

    figure: str
    old: float
    new: float
    change: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    old_count: int
    new_count: int

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self)


def compare(old: Document, new: Document) -> list[Change]:
    """Return what changed between two reports, over the cases that both have."""
    if not _have_requests(old, new):
        return _of_samples(old, new)
    changes = []
    for figure in (*FIGURES, PASSED):
        before, after = _values(old, figure), _values(new, figure)
        common = before.keys() & after.keys()
        if common:
            changes.append(
                _change(
                    figure,
                    {case: before[case] for case in sorted(common)},
                    {case: after[case] for case in sorted(common)},
                )
            )
    return changes


def only_in_one(old: Document, new: Document) -> list[str]:
    """Return the cases that one report alone has: they are not compared.

    Of reports without single times, the workloads.
    """
    names = _cases if _have_requests(old, new) else _workloads
    return sorted(names(old) ^ names(new))


def _have_requests(*reports: Document) -> bool:
    return all(isinstance(one.get("requests"), list) for one in reports)


def _cases(report: Document) -> set[str]:
    return {f"{one['workload']}/{one['case']}" for one in report["requests"]}


def _workloads(report: Document) -> set[str]:
    return {str(one.get("workload")) for one in report["samples"]}


def _values(report: Document, figure: Figure) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = {}
    for one in report["requests"]:
        value = one.get(figure.field)
        # How long a failure took is no figure of the target; that it failed is one.
        if value is not None and (figure is PASSED or not one.get("failure")):
            if not _is_figure(value):
                raise ValueError(f"{figure.field} is no figure")
            found.setdefault((one["workload"], one["case"]), []).append(float(value))
    return found


def _change(figure: Figure, before: Groups, after: Groups) -> Change:
    statistic = _rate if figure is PASSED else _middle
    old, new = len(_all(before)), len(_all(after))
    was, now = statistic(before), statistic(after)
    change = _difference(figure, was, now)
    if min(old, new) < FEWEST or change is None:
        return _told(figure, was, now, change, None, "too few to tell", old, new)
    low, high = _interval(figure, statistic, before, after)
    verdict: Verdict = "within noise"
    if low > 0 or high < 0:
        verdict = "better" if (high < 0) == figure.lower_is_better else "worse"
    return _told(figure, was, now, change, (low, high), verdict, old, new)


def _middle(groups: Groups) -> float:
    return statistics.fmean(statistics.median(values) for values in groups.values())


def _rate(groups: Groups) -> float:
    return statistics.fmean(_all(groups))


def _told(
    figure: Figure,
    was: float,
    now: float,
    change: float | None,
    interval: tuple[float, float] | None,
    verdict: Verdict,
    old_count: int,
    new_count: int,
) -> Change:
    low, high = interval or (None, None)
    return Change(figure.title, was, now, change, low, high, verdict, old_count, new_count)


def _difference(figure: Figure, was: float, now: float) -> float | None:
    if figure is PASSED:
        return now - was
    return now / was - 1 if was > 0 else None


def _interval(
    figure: Figure, statistic: Statistic, before: Groups, after: Groups
) -> tuple[float, float]:
    chance = random.Random(SEED)
    most = max(sum(map(len, before.values())), sum(map(len, after.values())))
    draws = max(100, min(DRAWS, WORK // (2 * most)))
    seen = []
    for _ in range(draws):
        was, now = (statistic(_drawn(chance, one, statistic)) for one in (before, after))
        if (change := _difference(figure, was, now)) is not None:
            seen.append(change)
    seen.sort()
    cut = int(0.025 * len(seen))
    return seen[cut], seen[-1 - cut]


def _drawn(chance: random.Random, groups: Groups, statistic: Statistic) -> Groups:
    """Return as many values as there are, drawn with replacement.

    Case by case, and further from the middle than they were, by as much as so few understate
    how far values lie apart; all from one pot where a case has too few for that.
    """
    if min(map(len, groups.values())) < FEWEST_OF_CASE:
        pot = _all(groups)
        return {case: chance.choices(pot, k=len(group)) for case, group in groups.items()}
    drawn = {}
    for case, group in groups.items():
        middle, wider = statistic({case: group}), math.sqrt(len(group) / (len(group) - 1))
        found = chance.choices(group, k=len(group))
        drawn[case] = [middle + (value - middle) * wider for value in found]
    return drawn


def _all(groups: Groups) -> list[float]:
    return [value for group in groups.values() for value in group]


def _of_samples(old: Document, new: Document) -> list[Change]:
    """Return changes of reports without single times: figures alone, and no word on noise."""
    common = _workloads(old) & _workloads(new)
    changes = []
    for figure in (*FIGURES, PASSED):
        before, after = (_result(report, common, figure.sample) for report in (old, new))
        if before is not None and after is not None:
            change = _difference(figure, before, after)
            changes.append(_told(figure, before, after, change, None, "no single times", 0, 0))
    return changes


def _result(report: Document, workloads: Collection[str], name: str) -> float | None:
    """Return the median of a result over the samples of some workloads."""
    found = [
        float(value)
        for one in report["samples"]
        if str(one.get("workload")) in workloads and _is_figure(value := one["results"].get(name))
    ]
    return statistics.median(found) if found else None


def _is_figure(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value <= MOST
