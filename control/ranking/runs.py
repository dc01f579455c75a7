"""Which runs of benchmarks speak for an asset, and for how long: pure, of what is kept of each.

By `Runs.NEWEST` the newest run of each workload counts; by `Runs.BEST` all do, each by its
own age, and the best of them decides. Of other weights than those registered none does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import fsum, inf
from typing import NamedTuple

from control.ranking.benchmarks import Finding, Findings
from control.ranking.overlap import Words, words
from control.ranking.presets import Benchmark, Runs, Scoring
from control.ranking.quality import Outcome, quality

# How often a run changes its weight until it counts half; each change moves scores.
STEPS_A_HALF_LIFE = 4
# After so many half-lives a run does not count any more.
LAST_HALF_LIFE = 10
# Of each asset, the newest. Every score for a role looks at all of them.
MAX_WORKLOADS = 64


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a benchmark workload against a service, as far as it counts.

    asset_id, digest: empty when not told. observed_at: seconds, of the clock that `now` is of.
    """

    asset_id: str
    workload: str
    observed_at: float
    digest: str
    outcome: Outcome


class Point(NamedTuple):
    """A time and the quality that was seen then, 0 to 1."""

    observed_at: float
    quality: float


@dataclass(frozen=True, slots=True)
class Collapsed:
    """Runs of one workload without those that cannot count, at whatever time.

    points: the newest first; of those behind it each is better than all before. count:
    runs that they stand for. replaced: runs of other weights.
    """

    points: tuple[Point, ...]
    count: int
    replaced: int


def collapsed(runs: Iterable[Run], digest: str, benchmark: Benchmark) -> Collapsed:
    """Return what counts of `runs`.

    digest: of the weights that are registered, empty when unknown.
    """
    valid, replaced = [], 0
    for run in runs:
        if run.digest and digest and run.digest != digest:
            replaced += 1
        else:
            valid.append(run)
    if not valid:
        return Collapsed((), 0, replaced)
    if benchmark.runs is Runs.NEWEST:
        newest = max(run.observed_at for run in valid)
        then = [quality(run.outcome, benchmark) for run in valid if run.observed_at == newest]
        return Collapsed((Point(newest, fsum(then) / len(then)),), len(then), replaced)
    points = {Point(run.observed_at, quality(run.outcome, benchmark)) for run in valid}
    return Collapsed(tuple(_front(points)), len(valid), replaced)


def _front(points: Iterable[Point]) -> Iterable[Point]:
    """Yield the newest, and of older ones those that are better than all newer ones."""
    best = -inf
    for point in sorted(points, reverse=True):
        if point.quality > best:
            best = point.quality
            yield point


def findings(by_workload: Mapping[str, Collapsed], scoring: Scoring, now: float) -> Findings:
    """Return what the runs of an asset say of it now."""
    found = [
        _finding(workload, runs, scoring, now)
        for workload, runs in by_workload.items()
        if runs.points and freshness(now - runs.points[0].observed_at, scoring.benchmark.half_life)
    ]
    found.sort(key=lambda one: (-one.observed_at, one.workload))
    counting = tuple(found[:MAX_WORKLOADS])
    return Findings(counting, sum(runs.replaced for runs in by_workload.values()))


def _finding(workload: str, runs: Collapsed, scoring: Scoring, now: float) -> Finding:
    half_life = scoring.benchmark.half_life
    newest_at = runs.points[0].observed_at
    return Finding(
        workload,
        _words(workload, scoring.ascii_words),
        freshness(now - newest_at, half_life),
        max(freshness(now - at, half_life) * quality for at, quality in runs.points),
        newest_at,
        runs.count,
    )


@lru_cache(maxsize=4_096)
def _words(workload: str, ascii_only: bool) -> Words:
    # The same few workloads are run against all services.
    return words(workload, ascii_only=ascii_only)


def freshness(age: float, half_life: float) -> float:
    """Return how much a run counts at `age` seconds, 0 to 1, in steps."""
    # A clock that was set back makes runs of the future: they are fresh.
    steps = max(age, 0.0) * STEPS_A_HALF_LIFE / half_life
    if steps >= LAST_HALF_LIFE * STEPS_A_HALF_LIFE:
        return 0.0
    return float(0.5 ** (int(steps) / STEPS_A_HALF_LIFE))


def fades_at(by_workload: Mapping[str, Collapsed], half_life: float, now: float) -> float:
    """Return when the weight of any of the runs changes next, inf for never."""
    return min(
        (_next_step(at, half_life, now) for runs in by_workload.values() for at, _ in runs.points),
        default=inf,
    )


def _next_step(observed_at: float, half_life: float, now: float) -> float:
    if half_life == inf or not freshness(now - observed_at, half_life):
        return inf
    step = half_life / STEPS_A_HALF_LIFE
    return observed_at + (int(max(now - observed_at, 0.0) / step) + 1) * step
