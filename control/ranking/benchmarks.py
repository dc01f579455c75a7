"""What benchmark samples say of an asset: how well they fit what is asked for, how good it was."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf

from control.inventory import Asset
from control.ranking.overlap import Words, recall, words
from control.ranking.presets import Benchmark, Scoring

# Any of these results, 0 to 1, tells how often a sample was right.
CORRECTNESS = (
    "quality_score",
    "pass_rate",
    "terminal_accuracy",
    "completion_rate",
    "terminal_tool_completion_rate",
    "tool_success_rate",
)
# How often a sample changes its weight until it counts half; each change moves scores.
STEPS_A_HALF_LIFE = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a benchmark workload against a service.

    asset_id, digest: empty when not told. observed_at: seconds, of the clock that `now`
    is of. results: by name, as reported; what is no number is ignored.
    """

    service_id: str
    asset_id: str
    digest: str
    workload: str
    observed_at: float
    results: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a sample says of an asset now. weight: 0 to 1, less with age."""

    workload: str
    words: Words
    quality: float
    weight: float


@dataclass(frozen=True, slots=True)
class Query:
    """The workloads that are asked for, by name, and all words of what is asked for."""

    workloads: frozenset[str]
    words: Words


ANYTHING = Query(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Evidence:
    """What findings say to a query. The best of each, which may be of two samples.

    count: samples that count. overlap, quality: 0 to 1, less with age. value: both together.
    """

    count: int
    overlap: float
    quality: float
    value: float


NO_EVIDENCE = Evidence(0, 0.0, 0.0, 0.0)


def findings(
    samples: Iterable[Sample], service_id: str, asset: Asset, scoring: Scoring, now: float
) -> tuple[Finding, ...]:
    """Return what those of `samples` say that are of this asset of this service.

    A sample of weights that have been replaced since says nothing.
    """
    return tuple(
        Finding(
            sample.workload,
            words(sample.workload, ascii_only=scoring.ascii_words),
            quality(sample.results, scoring.benchmark),
            freshness(now - sample.observed_at, scoring.benchmark.half_life),
        )
        for sample in samples
        if sample.service_id == service_id
        and sample.asset_id in ("", asset.asset_id)
        and not (sample.digest and asset.digest and sample.digest != asset.digest)
    )


def freshness(age: float, half_life: float) -> float:
    """Return how much a sample counts at `age` seconds, 0 to 1, in steps."""
    # A clock that was set back makes samples of the future: they are fresh.
    halvings = max(age, 0.0) * STEPS_A_HALF_LIFE / half_life
    # Beyond a thousand there is nothing left, and no float that could say so.
    return float(0.5 ** (int(min(halvings, 4_000.0)) / STEPS_A_HALF_LIFE))


def quality(results: Mapping[str, object], benchmark: Benchmark) -> float:
    """Return how good the results of a sample are, 0 to 1; 0 when they tell nothing."""
    told = [one for name in CORRECTNESS if (one := _number(results, name)) is not None]
    right = min(max(told), 1.0) if told else None
    rate = _number(results, "tokens_per_sec")
    wait = _number(results, "ttft_ms")
    if right is rate is wait is None:
        return 0.0
    throughput = benchmark.prior if rate is None else min(rate / benchmark.full_speed, 1.0)
    promptness = benchmark.prior if wait is None else benchmark.first_token.worth(wait)
    speed = (throughput + promptness) / 2
    if right is None and benchmark.speed_alone:
        return speed
    correctness = benchmark.prior if right is None else right
    return benchmark.correctness * correctness + benchmark.speed * speed


def query(texts: Sequence[str], workloads: Sequence[str], scoring: Scoring) -> Query:
    """Return what `texts` and `workloads` together ask samples for."""
    return Query(frozenset(workloads), words(*texts, *workloads, ascii_only=scoring.ascii_words))


@lru_cache(maxsize=1_024)
def workload_query(workloads: tuple[str, ...], ascii_words: bool) -> Query:
    """Return what a role asks samples for by the workloads that it names."""
    return Query(frozenset(workloads), words(*workloads, ascii_only=ascii_words))


def evidence(found: Sequence[Finding], wanted: Query, benchmark: Benchmark) -> Evidence:
    """Return what `found` says to `wanted`; everything counts for who wants nothing special."""
    fits = [_fit(finding, wanted) for finding in found]
    counting = [
        (finding, fit)
        for finding, fit in zip(found, fits, strict=True)
        if fit > 0 or not wanted.words
    ]
    if not counting:
        return NO_EVIDENCE
    overlap = max(finding.weight * fit for finding, fit in counting)
    best = max(finding.weight * finding.quality for finding, _ in counting)
    value = min(benchmark.overlap * overlap + benchmark.quality * best, 1.0)
    return Evidence(len(counting), overlap, best, value)


def _fit(finding: Finding, wanted: Query) -> float:
    if finding.workload in wanted.workloads:
        return 1.0
    return recall(wanted.words, finding.words)


def _number(results: Mapping[str, object], name: str) -> float | None:
    """Return a result, or None when it is no number from 0 on."""
    value = results.get(name)
    if isinstance(value, (int, float)) and 0 <= value < inf:
        # An integer may be larger than any float.
        return float(min(value, 1e300))
    return None
