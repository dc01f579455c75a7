"""A score taken apart, for people: what each part counts, and what it was given for."""

from dataclasses import dataclass

from control.inventory import Asset, Availability
from control.ranking.benchmarks import Evidence
from control.ranking.presets import Scoring, Weights
from control.ranking.roles import ANYBODY, Role, RoutingPolicy
from control.ranking.scoring import STATIC, Asked, Marks, direct_marks, known, role_marks
from control.ranking.subject import Signals, Subject

AGES = ((86_400, "d"), (3_600, "h"), (60, "m"))


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a score. weight, value: 0 to 1, the value with 4 digits. detail: in words."""

    name: str
    weight: float
    value: float
    detail: str


def role_terms(
    role: Role, subject: Subject, asset: Asset, scoring: Scoring, asked: Asked = STATIC
) -> tuple[Term, ...]:
    """Return the parts of the score of an asset of a service for a role."""
    marks = role_marks(role, subject, asset, scoring, asked)
    seen = how_it_runs(subject.signals, asset.loaded, asked.queue)
    return terms(scoring.role, marks, asked, seen, role.routing)


def direct_terms(
    subject: Subject, asset: Asset, scoring: Scoring, asked: Asked = STATIC
) -> tuple[Term, ...]:
    """Return the parts of the score of an asset of a service that is asked for by name."""
    marks = direct_marks(subject, asset, scoring, asked)
    seen = how_it_runs(subject.signals, asset.loaded, asked.queue)
    return terms(scoring.service, marks, asked, seen, ANYBODY)


def terms(
    weights: Weights, marks: Marks, asked: Asked, seen: str, routing: RoutingPolicy
) -> tuple[Term, ...]:
    """Return the parts of a score that count at all.

    seen: how the service runs, in words. routing: what the role prefers, if there is one.
    """
    task = "no task" if asked.text is None else f"{asked.text:.0%} of the words"
    samples, family = marks.evidence, _family(marks, routing)
    parts = (
        ("text", weights.text, marks.text, task),
        ("runtime", weights.runtime, marks.runtime, seen),
        ("benchmark", weights.benchmark, samples.value, how_it_did(samples)),
        ("family", weights.family, float(bool(marks.family)), family),
        ("guardrail", weights.guardrail, float(marks.guardrail), _guardrail(marks, routing)),
    )
    return tuple(
        Term(name, weight, round(value, 4), detail)
        for name, weight, value, detail in parts
        if weight
    )


def how_it_runs(signals: Signals, loaded: bool, queue: int) -> str:
    """Return what is seen of a service in words, e.g. `loaded 900ms 44t/s q2`."""
    parts = ["loaded" if loaded else "not loaded"]
    if known(signals.latency_p50):
        parts.append(duration(signals.latency_p50))
    if known(signals.tokens_per_second):
        parts.append(f"{signals.tokens_per_second:.0f}t/s")
    if queue > 0:
        parts.append(f"q{queue}")
    if signals.availability is Availability.BUSY:
        parts.append("busy")
    return " ".join(parts)


def how_it_did(evidence: Evidence) -> str:
    """Return what runs of benchmarks say in words.

    E.g. `2 runs, fit 0.50, quality 0.86, 3d old; 1 of other weights`.
    """
    words = "no runs"
    if evidence.count:
        runs = "1 run" if evidence.count == 1 else f"{evidence.count} runs"
        words = f"{runs}, fit {evidence.overlap:.2f}, quality {evidence.quality:.2f}"
    if evidence.age is not None:
        words += f", {age(evidence.age)} old"
    return f"{words}; {evidence.replaced} of other weights" if evidence.replaced else words


def duration(seconds: float) -> str:
    """Return a time to wait as short as people read it, e.g. `900ms` or `1.8s`."""
    # Above it, milliseconds would be rounded to `1000ms`.
    return f"{seconds * 1_000:.0f}ms" if seconds < 0.9995 else f"{seconds:.1f}s"


def age(seconds: float) -> str:
    """Return a time that is over in its largest unit, e.g. `3d`, `5h`, `40m` or `7s`."""
    for unit, name in AGES:
        if seconds >= unit:
            return f"{seconds / unit:.0f}{name}"
    return f"{seconds:.0f}s"


def _family(marks: Marks, routing: RoutingPolicy) -> str:
    if not routing.preferred_families:
        return "none preferred"
    return marks.family or f"none of {', '.join(routing.preferred_families)}"


def _guardrail(marks: Marks, routing: RoutingPolicy) -> str:
    profile = routing.guardrail_profile
    if profile == "none":
        return "none wanted"
    return profile if marks.guardrail else f"no {profile}"
