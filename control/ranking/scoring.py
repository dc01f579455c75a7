"""How good a candidate is, from 0 to 1, and what makes it so.

Static scores are those of tables: made without a task and as if nothing waited. What
waiting costs is subtracted where requests are sent, by `control.api.strategies`.
"""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple, TypeGuard

from control.api.strategies import live_score
from control.inventory import Asset, Availability
from control.ranking.benchmarks import (
    ANYTHING,
    NO_EVIDENCE,
    Evidence,
    Query,
    evidence,
    workload_query,
)
from control.ranking.preferences import has_guardrails, of_family
from control.ranking.presets import Queue, Scoring, Weights
from control.ranking.roles import Role
from control.ranking.subject import Signals, Subject


class Score(NamedTuple):
    """A score, and the part of it that requests which wait can cost; 0 to 1, 4 digits."""

    total: float
    runtime: float


class Asked(NamedTuple):
    """What makes a score more than a static one: what is to be done, and what waits.

    text: share of the task's words that the candidate has, 0 to 1. query: what samples
    are asked for. Both are None where nothing is to be done. queue: requests that wait.
    """

    text: float | None = None
    query: Query | None = None
    queue: int = 0


STATIC = Asked()


class Marks(NamedTuple):
    """What a candidate gets its score for; numbers are 0 to 1."""

    text: float = 0.0
    runtime: float = 0.0
    evidence: Evidence = NO_EVIDENCE
    family: str = ""  # the preferred one that it is of
    guardrail: bool = False


def runtime(signals: Signals, loaded: bool, queue: int, scoring: Scoring) -> float:
    """Return what a service is worth as it runs now, 0 to 1.

    queue: requests that wait, 0 for static scores.
    """
    counts = scoring.runtime
    value = counts.loaded if loaded else 0.0
    latency, speed = signals.latency_p50, signals.tokens_per_second
    if known(latency):
        value += counts.latency.worth(latency * 1_000)
    if known(speed):
        value += counts.throughput.worth(speed)
    if signals.availability is Availability.BUSY:
        value -= counts.busy
    value = min(max(value, 0.0), 1.0)
    return live_score(value, value, queue, counts.queue) if queue else value


def known(measured: float | None) -> TypeGuard[float]:
    """Return whether something was measured: NaN, inf and less than 0 were not."""
    return measured is not None and 0 <= measured < inf


def queue_steps(scoring: Scoring, weight: float) -> Queue:
    """Return what requests that wait cost a score whose runtime part has this weight."""
    return tuple((depth, round(weight * cost, 4)) for depth, cost in scoring.runtime.queue)


def role_score(role: Role, subject: Subject, asset: Asset, scoring: Scoring) -> Score:
    """Return the static score of an asset of a service for a role."""
    return weigh(scoring.role, role_marks(role, subject, asset, scoring))


def direct_score(subject: Subject, asset: Asset, scoring: Scoring) -> Score:
    """Return the static score of an asset of a service that is asked for by its own name."""
    return weigh(scoring.service, direct_marks(subject, asset, scoring))


def role_marks(
    role: Role, subject: Subject, asset: Asset, scoring: Scoring, asked: Asked = STATIC
) -> Marks:
    """Return what the score of an asset of a service for a role is made of.

    Samples are asked for the workloads of the role where nothing else is asked.
    """
    routing = role.routing
    found = NO_EVIDENCE
    if subject.findings:
        query = asked.query or workload_query(
            routing.agentic_benchmark_workloads, scoring.ascii_words
        )
        found = evidence(subject.of(asset), query, scoring.benchmark, subject.now)
    return Marks(
        asked.text or 0.0,
        runtime(subject.signals, asset.loaded, asked.queue, scoring),
        found,
        _first_of(routing.preferred_families, asset),
        has_guardrails(routing.guardrail_profile, subject.service),
    )


def direct_marks(subject: Subject, asset: Asset, scoring: Scoring, asked: Asked = STATIC) -> Marks:
    """Return what the score of an asset of a service is made of that is asked for by name."""
    found = NO_EVIDENCE
    if subject.findings:
        query = asked.query or ANYTHING
        found = evidence(subject.of(asset), query, scoring.benchmark, subject.now)
    value = runtime(subject.signals, asset.loaded, asked.queue, scoring)
    return Marks(asked.text or 0.0, value, found)


def weigh(weights: Weights, marks: Marks) -> Score:
    """Return the score that `marks` make."""
    text, running, found, family, guardrail = marks
    part = weights.runtime * running
    total = weights.text * text + part + weights.benchmark * found.value
    if family:
        total += weights.family
    if guardrail:
        total += weights.guardrail
    # Weights sum to 1 but for the last digits of a float; so does what they weigh at most.
    return Score(round(total, 4), round(part, 4))


def _first_of(families: Sequence[str], asset: Asset) -> str:
    """Return the first of `families` that `asset` is of, empty for none."""
    for family in families:
        if of_family(asset, family.lower()):
            return family
    return ""
