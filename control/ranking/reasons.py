"""Why something fits a task, in words: what its score was given for, the weightiest first."""

from collections.abc import Iterable, Iterator

from control.api.strategies import live_score
from control.inventory import Availability
from control.ranking.presets import Runtime, Weights
from control.ranking.roles import RoutingPolicy
from control.ranking.scoring import Marks, known
from control.ranking.subject import Signals
from control.ranking.terms import age, duration

GOOD_QUALITY = 0.6


def of_marks(weights: Weights, marks: Marks, routing: RoutingPolicy) -> Iterator[tuple[float, str]]:
    """Yield what speaks for a candidate whoever serves it, and how much of the score it is."""
    if marks.text:
        yield weights.text * marks.text, f"has {marks.text:.0%} of the task's words"
    if marks.family:
        yield weights.family, f"is served by a preferred family: {marks.family}"
    if marks.guardrail:
        yield weights.guardrail, f"keeps the guardrails of {routing.guardrail_profile}"
    evidence = marks.evidence
    if evidence.count:
        how = "did well in" if evidence.quality >= GOOD_QUALITY else "was measured by"
        told = f"quality {evidence.quality:.2f}"
        if evidence.age is not None:
            told += f", {age(evidence.age)} ago"
        yield (
            weights.benchmark * evidence.value,
            f"{how} workloads that fit {evidence.overlap:.0%} ({told})",
        )


def of_service(
    weight: float, counts: Runtime, signals: Signals, loaded: bool, queue: int
) -> Iterator[tuple[float, str]]:
    """Yield what speaks for a service as it runs now, and against it.

    weight: of the runtime part in the score.
    """
    latency, speed = signals.latency_p50, signals.tokens_per_second
    if loaded:
        yield weight * counts.loaded, "its model is in memory"
    if known(latency) and (worth := counts.latency.worth(latency * 1_000)):
        yield weight * worth, f"answers in {duration(latency)}"
    if known(speed) and (worth := counts.throughput.worth(speed)):
        yield weight * worth, f"writes {speed:.0f} tokens a second"
    if cost := -live_score(0.0, 1.0, queue, counts.queue):
        waits = "1 request waits" if queue == 1 else f"{queue} requests wait"
        yield weight * cost, f"but {waits} there"
    if counts.busy and signals.availability is Availability.BUSY:
        yield weight * counts.busy, "but its owner is using it"


def weightiest_first(reasons: Iterable[tuple[float, str]]) -> tuple[str, ...]:
    """Return the words of `reasons` by how much they count."""
    return tuple(words for _, words in sorted(reasons, key=lambda one: (-one[0], one[1])))
