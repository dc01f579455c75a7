"""Why requests for a name go where they go: every service, every gate, every number. Pure.

What decides here is what decides in tables and gateways: the same gates, tiers, scores
and picks, told instead of applied.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from control.api.completion import Expected
from control.api.strategies import Strategy
from control.inventory import Asset, Operation
from control.ranking.candidates import Candidate, order
from control.ranking.eligibility import Gate
from control.ranking.offering import Rules
from control.ranking.picking import Load, live, picked, resident
from control.ranking.questions import (
    Direct,
    InRole,
    Question,
    Reading,
    Seen,
    reading,
    shut,
)
from control.ranking.terms import Term
from control.ranking.whatif import Lead, lead, would_change

MAX_REASONS = 3  # that are told of a role that nobody serves
# Passed by who serves, but has no place for one more; or has to load what others have.
SLOT, MEMORY = "slot", "memory"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a service is a candidate, and why with this score; or why not.

    asset_id: the asset that makes it a candidate, or comes nearest to it. terms,
    preferences: empty when a gate is shut. live_penalty: what `scored` subtracts.
    chosen: whether the next request can go there. expected: what a usual request would take
    there; None when nothing of that is known. waiting: requests that wait for it in gateways.
    """

    service_id: str
    asset_id: str
    gates: tuple[Gate, ...]
    terms: tuple[Term, ...] = ()
    score: float = 0.0
    tier: int = 0
    preferences: tuple[str, ...] = ()
    in_flight: int = 0
    queue_depth: int = 0
    live_penalty: float = 0.0
    chosen: bool = False
    expected: Expected | None = None
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Explained:
    """What a name means now, and why.

    role_id: the role that serves it, or would; empty for an asset or a service.
    explanations: of all services that offer the operation; candidates first, best first,
    then those that are refused, by how many gates are shut. stand_ins: roles that take
    the place of the one asked for, in order. passed_over: the roles before the one that
    serves, with what keeps most of the services from each. would_change: what would each
    send requests elsewhere.
    """

    name: str
    operation: Operation
    role_id: str
    strategy: Strategy
    explanations: tuple[Explanation, ...]
    stand_ins: tuple[str, ...] = ()
    passed_over: tuple[tuple[str, str], ...] = ()
    lead: Lead | None = None
    would_change: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """A service that would serve a name, and how."""

    one: Reading
    candidate: Candidate


def explain(name: str, operation: Operation, seen: Iterable[Seen], rules: Rules) -> Explained:
    """Return what `name` means for `operation` among the services that are seen.

    A name that means nothing is explained too: nobody has it.
    """
    readings = [one for each in seen if (one := reading(each, operation, rules))]
    demands = rules.demands[operation]
    if (asked := demands.get(name)) is None:
        return _explained(
            name, operation, Direct(name, operation, rules, readings), readings, rules
        )
    stand_ins = tuple(one for one in asked.role.stand_ins if one in demands)
    passed_over = []
    for role_id in (name, *stand_ins):
        question = InRole(demands[role_id], rules)
        if _serving(question, readings):
            break
        passed_over.append((role_id, _why_nobody(question, readings)))
    else:
        role_id, question = name, InRole(asked, rules)
    explained = _explained(name, operation, question, readings, rules)
    return replace(explained, role_id=role_id, stand_ins=stand_ins, passed_over=tuple(passed_over))


def _explained(
    name: str, operation: Operation, question: Question, readings: Sequence[Reading], rules: Rules
) -> Explained:
    cases = _serving(question, readings)
    candidates = [case.candidate for case in cases]
    loads = {one.service_id: one.seen.load for one in readings}
    strategy, steps = question.strategy, question.steps
    chosen = picked(strategy, candidates, loads, steps)
    asked = {one.service_id for one in resident(strategy, candidates, loads)}
    first = chosen[0] if chosen else None
    serving = {one.service_id for one in candidates}
    refused = [_refused(question, one) for one in readings if one.service_id not in serving]
    return Explained(
        name,
        operation,
        "",
        strategy,
        (
            *(
                _serves(
                    question,
                    case,
                    spared=case.candidate.service_id not in asked,
                    chosen=case.candidate in chosen,
                )
                for case in cases
            ),
            *sorted(refused, key=lambda one: (shut(one.gates), one.service_id)),
        ),
        lead=lead(strategy, candidates, loads, steps),
        would_change=would_change(
            strategy, candidates, loads, steps, _unloaded(question, first, cases, operation, rules)
        ),
    )


def _serving(question: Question, readings: Iterable[Reading]) -> list[_Case]:
    """Return who serves now, best first; who comes and goes, only where there is nobody else."""
    alive = [one for one in readings if one.seen.alive]
    cases = [_Case(one, found) for one in alive if (found := question.candidate(one))]
    cases = [case for case in cases if not case.one.seen.held_back] or cases
    return sorted(cases, key=lambda case: order(case.candidate))


def _serves(question: Question, case: _Case, *, spared: bool, chosen: bool) -> Explanation:
    """Explain who serves. spared: from loading what others have. chosen: is asked next."""
    one, candidate = case.one, case.candidate
    asset = _asset(one, candidate.asset_id)
    load = one.seen.load
    return Explanation(
        candidate.service_id,
        candidate.asset_id,
        (*_gates(question, one, asset, serves=True), *_spared(spared), *_full(load)),
        question.terms(one, asset),
        candidate.score,
        candidate.tier,
        question.preferences(one, asset),
        load.in_flight,
        load.queue_depth,
        round(candidate.score - live(candidate, load, question.steps), 4),
        chosen,
        load.expected(candidate) if candidate.asset_id in load.speeds else None,
        load.waiting,
    )


def _spared(spared: bool) -> tuple[Gate, ...]:
    why = "not asked while others have it in memory"
    return (Gate(MEMORY, passed=True, detail=why),) if spared else ()


def _full(load: Load) -> tuple[Gate, ...]:
    """Return that a service which may serve has no place for one more request now, if so."""
    if load.free:
        return ()
    busy = min(load.total, load.slots)
    why = f"{busy} of {load.slots} busy" if load.total >= load.slots else "prompts to be read first"
    return (Gate(SLOT, passed=True, detail=f"{why}; requests wait in gateways"),)


def _refused(question: Question, one: Reading) -> Explanation:
    candidate = question.candidate(one)
    asset = _asset(one, candidate.asset_id) if candidate else question.nearest(one)
    load = one.seen.load
    return Explanation(
        one.service_id,
        asset.asset_id,
        _gates(question, one, asset, serves=False),
        in_flight=load.in_flight,
        queue_depth=load.queue_depth,
        waiting=load.waiting,
    )


def _gates(question: Question, one: Reading, asset: Asset, *, serves: bool) -> tuple[Gate, ...]:
    gates = (*one.seen.gates(), *question.gates(one, asset))
    if not one.seen.held_back:
        return gates
    return (*gates, Gate("steady", serves, "comes and goes; serves where nobody else does"))


def _asset(one: Reading, asset_id: str) -> Asset:
    return next(asset for asset in one.assets if asset.asset_id == asset_id)


def _why_nobody(question: Question, readings: Sequence[Reading]) -> str:
    """Return which gates keep services from a role that nobody serves, the commonest first."""
    closed: Counter[str] = Counter()
    for one in readings:
        gates = (*one.seen.gates(), *question.gates(one, question.nearest(one)))
        closed.update(gate.name for gate in gates if not gate.passed)
    if not closed:
        return "no service offers the operation"
    commonest = sorted(closed.items(), key=lambda item: (-item[1], item[0]))[:MAX_REASONS]
    return ", ".join(f"{name} at {count}" for name, count in commonest)


def _unloaded(
    question: Question,
    picked: Candidate | None,
    cases: Iterable[_Case],
    operation: Operation,
    rules: Rules,
) -> Candidate | None:
    """Return how the service that is picked would serve with its asset out of memory."""
    if picked is None or not picked.loaded:
        return None
    (one,) = (case.one for case in cases if case.candidate is picked)
    service = one.subject.service
    assets = tuple(
        replace(asset, loaded=False) if asset.asset_id == picked.asset_id else asset
        for asset in service.assets
    )
    subject = replace(one.subject, service=replace(service, assets=assets))
    then = reading(replace(one.seen, subject=subject), operation, rules)
    return question.candidate(then) if then else None
