"""Why a request goes where it goes, as text: who could serve it, how well, and who cannot."""

from collections.abc import Iterator, Sequence

from geniehive.v1 import routing_service_pb2 as pb
from rich.cells import cell_len

from cli.condition import ejected, kept_out
from cli.output import clean
from cli.table import GAP, Row, table
from cli.text import duration, plural
from control.api.message_values import seconds
from control.api.route_documents import OPERATIONS, STRATEGIES

# What a usual request takes, where that decides; the fields of `ExpectedCompletion`, in order.
EXPECTED = {
    "SLOT": "slot",
    "UNREAD": "pending",
    "LOAD": "load",
    "PROMPT": "prefill",
    "ANSWER": "decode",
}
NUMBERS = frozenset({"SCORE", "TIER", "BUSY", "WAIT", "COST", *EXPECTED})
SHORT = {"benchmark": "BENCH", "guardrail": "GUARD"}  # titles of terms that are not their name
NOT_NOW = frozenset({"slot", "memory"})  # gates of who serves, but not at once
APART = "   "


def render(answer: pb.ResolveRouteResponse, *, closely: bool = False) -> str:
    """Return the screen.

    closely: also services that have nothing of that name, all that each must fulfil, and
    what is liked in it.
    """
    parts = [headline(answer)]
    shown = [one for one in answer.explanations if closely or not _has_other_names(one)]
    if shown:
        parts.append(_table(shown, answer.strategy))
    if others := len(answer.explanations) - len(shown):
        parts.append(f"{plural(others, 'other service')} without that name: -v")
    if not answer.explanations:
        parts.append("! no service offers that: geniehive status")
    parts += [clean(line) for line in _remarks(answer)]
    if closely:
        parts += [line for one in shown for line in _closely(one)]
    return "\n".join(parts)


def _remarks(answer: pb.ResolveRouteResponse) -> Iterator[str]:
    """Yield what is to be said below the table."""
    for one in answer.passed_over:
        yield f"! nobody serves {one.role_id}: {one.reason}"
    if answer.fallback_roles:
        yield f"fallback roles: {', '.join(answer.fallback_roles)}"
    ahead = [_ahead(answer)] if answer.HasField("lead") else []
    ahead += [f"would change: {' or '.join(answer.would_change)}"] if answer.would_change else []
    if ahead:
        yield "; ".join(ahead)


def _ahead(answer: pb.ResolveRouteResponse) -> str:
    by, over = answer.lead.by, answer.lead.over_service_id
    if answer.strategy == pb.STRATEGY_EXPECTED_COMPLETION:
        return f"costs {by:.1f} less than {over}" if by else f"costs as much as {over}"
    if answer.strategy == pb.STRATEGY_SCORED:
        return f"lead {_share(by)} over {over}" if by else f"level with {over}"
    return f"{plural(round(by), 'request')} fewer than {over}" if by else f"as busy as {over}"


def headline(answer: pb.ResolveRouteResponse) -> str:
    """Return what the name is, and where a request for it goes now."""
    operation = OPERATIONS.get(answer.operation, "?")
    steps = [f"{answer.model} ({_kind(answer)}, {operation})"]
    if answer.role_id not in ("", answer.model):
        steps.append(f"{answer.role_id} (fallback role)")
    steps.append(_target(answer))
    words = [" -> ".join(steps), STRATEGIES.get(answer.strategy, "")]
    return APART.join([clean(word) for word in words if word] + [f"routes v{answer.table.version}"])


def _kind(answer: pb.ResolveRouteResponse) -> str:
    if answer.role_id:
        return "role"
    named = any(one.service_id == answer.model for one in answer.explanations)
    return "service" if named else "model"


def _target(answer: pb.ResolveRouteResponse) -> str:
    chosen = [one for one in answer.explanations if one.chosen]
    if not chosen:
        return "nobody can serve it now"
    first = f"{chosen[0].service_id} {chosen[0].asset_id}"
    if kept_out(chosen[0]):
        # Control says where it would go; who keeps it out asks another one all the same.
        first += f" (ejected by {plural(chosen[0].ejection.gateway_count, 'gateway')})"
    return f"{first} or {len(chosen) - 1} more" if len(chosen) > 1 else first


def _has_other_names(one: pb.Explanation) -> bool:
    return any(gate.name == "name" and not gate.passed for gate in one.gates)


def _table(explanations: Sequence[pb.Explanation], strategy: int) -> str:
    """Return a row for each candidate, and for each other service why it is none."""
    by_cost = strategy == pb.STRATEGY_EXPECTED_COMPLETION
    terms = () if by_cost else next((one.terms for one in explanations if one.terms), ())
    tiers = sorted({one.tier for one in explanations if _serves(one)})
    titles = ["SCORE", "SERVICE", "ASSET", *(["TIER"] if len(tiers) > 1 else ()), "BUSY", "WAIT"]
    titles += ["COST", *EXPECTED] if by_cost else ()
    titles += [f"{SHORT.get(one.name, one.name.upper())} {_share(one.weight)}" for one in terms]
    rows, remarks = [], []
    for place, one in enumerate(explanations):
        cells = ["-", one.service_id, one.asset_id or "-"]
        if _serves(one):
            cells[0] = f"{_score(one, strategy):.2f}"
            cells += [str(tiers.index(one.tier) + 1)] if len(tiers) > 1 else ()
            cells += [str(one.in_flight), str(one.waiting + one.queue_depth)]
            cells += _expected(one) if by_cost else [_term(term) for term in one.terms]
        remarks.append(_remark(one))
        rows.append(Row((place,), [*cells, *[""] * (len(titles) - len(cells))]))
    head, *lines = table(titles, rows, numbers=NUMBERS).split("\n")
    # A reason stands across all the columns that there are no values for, or after them.
    start = head.index(titles[3])
    return "\n".join([head, *(_with(*both, start) for both in zip(lines, remarks, strict=True))])


def _term(term: pb.ScoreTerm) -> str:
    return f"{term.value:.2f} {term.detail}".rstrip()


def _expected(one: pb.Explanation) -> Sequence[str]:
    """Return the cost, and what it is made of."""
    if not one.HasField("expected"):
        return ["?"] * (1 + len(EXPECTED))
    found = one.expected
    spans = (seconds(found, name) or 0.0 for name in EXPECTED.values())
    return [f"{found.cost:.1f}", *(duration(span) if span else "-" for span in spans)]


def _serves(one: pb.Explanation) -> bool:
    return all(gate.passed for gate in one.gates)


def _with(line: str, remark: str, start: int) -> str:
    room = " " * max(GAP, start - cell_len(line))
    return f"{line}{room}{clean(remark)}" if remark else line


def _score(one: pb.Explanation, strategy: int) -> float:
    """Return the score that decides: waiting requests cost some where scores do."""
    return one.score - one.live_penalty if strategy == pb.STRATEGY_SCORED else one.score


def _share(weight: float) -> str:
    return f"{weight:.2f}".removeprefix("0")


def _remark(one: pb.Explanation) -> str:
    """Return why a service is no candidate; of one that is, why it is not asked now."""
    if _serves(one):
        said = [ejected(one.ejection)] if one.HasField("ejection") else []
        return "; ".join(said + [gate.detail for gate in one.gates if gate.name in NOT_NOW])
    return "; ".join(_found(gate) for gate in one.gates if not gate.passed)


def _found(gate: pb.Gate) -> str:
    return f"{gate.name}: {gate.detail}" if gate.detail else gate.name


def _closely(one: pb.Explanation) -> Iterator[str]:
    """Yield the lines of one service for who wants to know it all."""
    yield ""
    yield clean(f"{one.service_id} {one.asset_id}")
    for gate in one.gates:
        yield f"  {'pass' if gate.passed else 'FAIL'}  {clean(_found(gate))}"
    for liked in one.preferences:
        yield f"  tier  {clean(liked)}"
