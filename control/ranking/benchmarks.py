"""What runs of benchmarks say of an asset: how well they fit what is asked for, how good it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from control.ranking.overlap import Words, recall, words
from control.ranking.presets import Benchmark, Scoring


@dataclass(frozen=True, slots=True)
class Finding:
    """What the runs of a workload say of an asset now.

    weight: of the newest run, 0 to 1, less with age. quality: of the best one, less with
    its age. observed_at: of the newest run, seconds since 1970. count: runs that count.
    """

    workload: str
    words: Words
    weight: float
    quality: float
    observed_at: float
    count: int


@dataclass(frozen=True, slots=True)
class Findings:
    """All that runs say of an asset. replaced: runs of other weights; they say nothing."""

    found: tuple[Finding, ...] = ()
    replaced: int = 0


NO_FINDINGS = Findings()


@dataclass(frozen=True, slots=True)
class Query:
    """The workloads that are asked for, by name, and all words of what is asked for."""

    workloads: frozenset[str]
    words: Words


ANYTHING = Query(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Evidence:
    """What findings say to a query. The best of each, which may be of two runs.

    count: runs that count. overlap, quality: 0 to 1, less with age. value: both together.
    age: of the newest of them, in seconds. replaced: runs of other weights.
    """

    count: int = 0
    overlap: float = 0.0
    quality: float = 0.0
    value: float = 0.0
    age: float | None = None
    replaced: int = 0


NO_EVIDENCE = Evidence()


def query(texts: Sequence[str], workloads: Sequence[str], scoring: Scoring) -> Query:
    """Return what `texts` and `workloads` together ask runs for."""
    return Query(frozenset(workloads), words(*texts, *workloads, ascii_only=scoring.ascii_words))


@lru_cache(maxsize=1_024)
def workload_query(workloads: tuple[str, ...], ascii_words: bool) -> Query:
    """Return what a role asks runs for by the workloads that it names."""
    return Query(frozenset(workloads), words(*workloads, ascii_only=ascii_words))


def evidence(findings: Findings, wanted: Query, benchmark: Benchmark, now: float) -> Evidence:
    """Return what `findings` say to `wanted`; everything counts for who wants nothing special."""
    fits = [_fit(finding, wanted) for finding in findings.found]
    counting = [
        (finding, fit)
        for finding, fit in zip(findings.found, fits, strict=True)
        if fit > 0 or not wanted.words
    ]
    if not counting:
        return Evidence(replaced=findings.replaced)
    overlap = max(finding.weight * fit for finding, fit in counting)
    best = max(finding.quality for finding, _ in counting)
    return Evidence(
        sum(finding.count for finding, _ in counting),
        overlap,
        best,
        min(benchmark.overlap * overlap + benchmark.quality * best, 1.0),
        max(now - max(finding.observed_at for finding, _ in counting), 0.0),
        findings.replaced,
    )


def _fit(finding: Finding, wanted: Query) -> float:
    if finding.workload in wanted.workloads:
        return 1.0
    return recall(wanted.words, finding.words)
