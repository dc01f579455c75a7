"""Where requests go, and what fits a task, as far as a view of the cluster tells. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from control.api.errors import (
    GenieHiveError,
    InvalidValue,
    ModelNotFound,
    NoHealthyRoute,
    NotReady,
    OperationMismatch,
)
from control.api.names import untagged
from control.api.strategies import Strategy
from control.inventory import Operation
from control.lookout import View
from control.ranking import explaining, matching, questions, resolution
from control.ranking.candidates import Candidate
from control.ranking.explaining import Explained
from control.ranking.matching import Match, Serving, Task
from control.ranking.picking import picked
from control.ranking.roles import Role
from control.ranking.scoring import queue_steps

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where requests for a name go.

    role_id: the role that serves, or would; empty for an asset or a service. candidates:
    as gateways know them, best first; none when nobody can serve it now.
    """

    operation: Operation
    role_id: str
    strategy: Strategy
    candidates: Sequence[Candidate]


def resolve(view: View, name: str, operation: Operation | None) -> Resolved:
    """Return where requests for `name` go now.

    operation: None for what the name is there for, or else for chat.

    Raises:
        InvalidValue: no name can be so short, or so long.
        ModelNotFound: nobody has it; NotReady: nor may that be said yet.
        OperationMismatch: it serves other operations only.
    """
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidValue(f"model is not 1 to {MAX_NAME} characters", param="model")
    rules, name = view.rules, _meant(view, name)
    role = rules.roles.get(name)
    operation = operation or _operation(view, name, role)
    match resolution.resolve(name, operation, view.targets, rules.roles):
        case resolution.Found(candidates, role_id):
            return Resolved(operation, role_id, _strategy(view, operation, role_id), candidates)
        case resolution.Unserved():
            role_id = role.role_id if role else ""
            return Resolved(operation, role_id, _strategy(view, operation, role_id), ())
        case resolution.Mismatch(operations):
            raise OperationMismatch(f"{name!r} serves {', '.join(operations)}, not {operation}")
        case resolution.Unknown(near):
            raise _unknown(view, name, near)


def routed(view: View, name: str, operation: Operation | None) -> Resolved:
    """Return the same, of which there is at least one candidate.

    Raises:
        NoHealthyRoute: nobody can serve it now; others as `resolve`.
    """
    found = resolve(view, name, operation)
    if not found.candidates:
        raise NoHealthyRoute(f"nothing can serve {name!r} for {found.operation} now")
    return found


def explain(view: View, name: str, operation: Operation | None) -> tuple[Resolved, Explained]:
    """Return where requests for `name` go now, and why. Raises as `resolve`."""
    found = resolve(view, name, operation)
    return found, explaining.explain(
        _meant(view, name), found.operation, view.seen.values(), view.rules
    )


def match(view: View, task: Task) -> list[Match]:
    """Return what fits `task` best, of roles and of services that can be asked by name."""
    return matching.match(task, _roles(view), _services(view), view.rules.scoring)


def _meant(view: View, name: str) -> str:
    """Return `name`, or without `:latest` when that alone is known."""
    known = (view.rules.roles, *view.targets.values())
    plain = untagged(name)
    offered = any(plain in names for names in known)
    return plain if offered and not any(name in names for names in known) else name


def _operation(view: View, name: str, role: Role | None) -> Operation:
    """Return what a name is there for: chat, where that cannot be told."""
    if role is not None:
        return role.operation
    known = [operation for operation in Operation if name in view.targets[operation]]
    return known[0] if len(known) == 1 else Operation.CHAT


def _unknown(view: View, name: str, near: Sequence[str]) -> GenieHiveError:
    similar = f"; similar: {', '.join(near)}" if near else ""
    if not view.settled:
        return NotReady(
            f"no model or role {name!r} is known yet; control has just started and waits for"
            f" its hosts{similar}"
        )
    if withheld := questions.withheld(name, view.seen.values(), view.rules):
        return ModelNotFound(f"nobody may ask for {name!r}; at {withheld}", param="model")
    return ModelNotFound(f"no model or role {name!r}{similar}", param="model")


def _strategy(view: View, operation: Operation, role_id: str) -> Strategy:
    if not role_id:
        return view.rules.strategy
    return view.rules.demands[operation][role_id].strategy


def _roles(view: View) -> Iterator[tuple[Role, Serving | None]]:
    """Yield each role with who would serve it now."""
    scoring = view.rules.scoring
    steps = queue_steps(scoring, scoring.role.runtime)
    loads = {service_id: one.load for service_id, one in view.seen.items()}
    for role in view.rules.roles.values():
        match resolution.resolve(role.role_id, role.operation, view.targets, view.rules.roles):
            case resolution.Found(candidates, role_id):
                strategy = _strategy(view, role.operation, role_id)
                yield role, _who(view, picked(strategy, candidates, loads, steps)[0])
            case _:
                yield role, None


def _services(view: View) -> Iterator[tuple[Operation, Serving]]:
    """Yield each service that can be asked by its own name, with the asset that it would use."""
    for operation in Operation:
        of_operation = view.targets[operation]
        # A role or an asset of another service may have the name.
        for service_id in view.seen.keys() - view.rules.roles.keys():
            for candidate in of_operation.get(service_id, ()):
                found = _who(view, candidate)
                if found is not None and candidate.service_id == service_id:
                    yield operation, found


def _who(view: View, candidate: Candidate) -> Serving | None:
    """Return a candidate with its service; None when that has left meanwhile."""
    seen = view.seen.get(candidate.service_id)
    if seen is None:
        return None
    for asset in seen.subject.service.assets:
        if asset.asset_id == candidate.asset_id:
            return Serving(seen.subject, asset, seen.load.waits)
    return None
