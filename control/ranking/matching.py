"""Which roles and services fit a task best: a look at what is known, which changes nothing."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from control.inventory import Asset, Availability, Operation
from control.ranking import reasons
from control.ranking.benchmarks import Evidence, Query, query
from control.ranking.overlap import Words, recall, words
from control.ranking.presets import Scoring
from control.ranking.roles import ANYBODY, Role
from control.ranking.scoring import Asked, Marks, direct_marks, known, role_marks, weigh
from control.ranking.subject import Subject
from control.ranking.terms import Term, how_it_runs, terms

NOBODY = "nothing serves it now"


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done, and what may do it.

    texts, workloads: without blanks. operation: None for any. modality: of roles, empty
    for any. services: whether they are looked at beside roles. limit: matches, 1 or more.
    """

    texts: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    operation: Operation | None = None
    modality: str = ""
    services: bool = True
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Serving:
    """Who serves: a service, by one of its assets, and how many requests wait there."""

    subject: Subject
    asset: Asset
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class MatchSignals:
    """What is looked at. None where it is unknown, or says nothing of such a candidate."""

    task_overlap: float
    evidence: Evidence
    preferred_family: bool | None = None
    guardrail_profile: bool | None = None
    loaded: bool | None = None
    latency_p50: float | None = None  # seconds
    tokens_per_second: float | None = None
    queue_depth: int | None = None
    loaded_model_count: int | None = None
    availability: Availability | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A role, or a service when `role` is None, and how well it fits.

    score: 0 to 1, 4 digits. serving: who would serve it now; None when nobody would.
    reasons: in words, the weightiest first.
    """

    role: Role | None
    operation: Operation
    serving: Serving | None
    score: float
    reasons: tuple[str, ...]
    signals: MatchSignals
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class _Fit:
    """A candidate with its marks; the rest is made for the best of them only."""

    name: str
    role: Role | None
    operation: Operation
    serving: Serving | None
    asked: Asked
    marks: Marks
    score: float

    @property
    def order(self) -> tuple[float, bool, str, str]:
        """A key that sorts best first: of equals roles before services, then by id."""
        return -self.score, self.role is None, self.name, self.operation


def listed(first: str, more: Iterable[str]) -> tuple[str, ...]:
    """Return a single text and `more` of them in one list, without blank ones."""
    return tuple(text.strip() for text in (first, *more) if text.strip())


def match(
    task: Task,
    roles: Iterable[tuple[Role, Serving | None]],
    services: Iterable[tuple[Operation, Serving]],
    scoring: Scoring,
) -> list[Match]:
    """Return the best matches for `task`, at most `task.limit`.

    roles: with who would serve each now; one that nobody serves is judged by its words.
    services: those that can be asked by their own names.
    """
    matcher = _Matcher(task, scoring)
    best = heapq.nsmallest(task.limit, matcher.fits(roles, services), key=lambda fit: fit.order)
    return [matcher.match(fit) for fit in best]


class _Matcher:
    """A task with what it wants of texts and runs, read once for all candidates."""

    def __init__(self, task: Task, scoring: Scoring) -> None:
        self._task = task
        self._scoring = scoring
        self._words = self._words_of(*task.texts)
        self._query: Query = query(task.texts, task.workloads, scoring)

    def fits(
        self,
        roles: Iterable[tuple[Role, Serving | None]],
        services: Iterable[tuple[Operation, Serving]],
    ) -> Iterator[_Fit]:
        """Yield all that may do the task."""
        task = self._task
        for role, served_by in roles:
            if task.operation in (None, role.operation) and task.modality in ("", role.modality):
                yield self._role(role, served_by)
        for operation, serving in services if task.services else ():
            if task.operation in (None, operation):
                yield self._service(operation, serving)

    def match(self, fit: _Fit) -> Match:
        """Return all that can be said of `fit`."""
        scoring, serving = self._scoring, fit.serving
        weights, routing = scoring.service, ANYBODY
        if fit.role is not None:
            weights, routing = scoring.role, fit.role.routing
        why = list(reasons.of_marks(weights, fit.marks, routing))
        seen = NOBODY
        if serving is not None:
            how = serving.subject.signals, serving.asset.loaded, serving.waiting
            why += reasons.of_service(weights.runtime, scoring.runtime, *how)
            seen = how_it_runs(*how)
        ordered = reasons.weightiest_first(why)
        return Match(
            fit.role,
            fit.operation,
            serving,
            fit.score,
            ordered if serving is not None else (*ordered, NOBODY),
            _match_signals(fit),
            terms(weights, fit.marks, fit.asked, seen, routing),
        )

    def _role(self, role: Role, serving: Serving | None) -> _Fit:
        asked = self._asked(_role_texts(role), serving)
        marks = Marks(asked.text or 0.0)
        if serving is not None:
            marks = role_marks(role, serving.subject, serving.asset, self._scoring, asked)
        score = weigh(self._scoring.role, marks).total
        return _Fit(role.role_id, role, role.operation, serving, asked, marks, score)

    def _service(self, operation: Operation, serving: Serving) -> _Fit:
        asked = self._asked(_service_texts(serving.subject, operation), serving)
        marks = direct_marks(serving.subject, serving.asset, self._scoring, asked)
        score = weigh(self._scoring.service, marks).total
        return _Fit(
            serving.subject.service.service_id, None, operation, serving, asked, marks, score
        )

    def _asked(self, texts: Iterable[str], serving: Serving | None) -> Asked:
        text = recall(self._words, self._words_of(*texts)) if self._words else None
        return Asked(text, self._query, serving.waiting if serving else 0)

    def _words_of(self, *texts: str) -> Words:
        return words(*texts, ascii_only=self._scoring.ascii_words)


def _role_texts(role: Role) -> Iterator[str]:
    """Yield what is known of a role in words."""
    routing = role.routing
    yield from (role.role_id, role.display_name, role.description)
    if role.request_policy is not None:
        yield role.request_policy.system_prompt
    yield from routing.preferred_families
    yield from routing.preferred_labels
    yield from routing.allowed_trust_tiers
    yield from routing.allowed_device_classes
    yield from routing.allowed_workload_classes
    yield from routing.agentic_benchmark_workloads
    if routing.guardrail_profile != "none":
        yield routing.guardrail_profile


def _service_texts(subject: Subject, operation: Operation) -> Iterator[str]:
    """Yield what is known of a service in words, with all models that it has for `operation`."""
    host, service = subject.host, subject.service
    yield from (service.service_id, host.host_id, service.engine)
    yield from (host.trust_tier, host.device_class, *host.workload_classes)
    for asset in service.assets:
        if operation in asset.operations:
            yield from (asset.asset_id, asset.family, *asset.labels)


def _match_signals(fit: _Fit) -> MatchSignals:
    marks, serving = fit.marks, fit.serving
    found = MatchSignals(marks.text, marks.evidence)
    if fit.role is not None:
        found = replace(
            found, preferred_family=bool(marks.family), guardrail_profile=marks.guardrail
        )
    if serving is None:
        return found
    seen = serving.subject.signals
    return replace(
        found,
        loaded=serving.asset.loaded,
        latency_p50=seen.latency_p50 if known(seen.latency_p50) else None,
        tokens_per_second=seen.tokens_per_second if known(seen.tokens_per_second) else None,
        queue_depth=serving.waiting,
        loaded_model_count=sum(asset.loaded for asset in serving.subject.service.assets),
        availability=seen.availability,
    )
