"""What a service can be asked for: by the names of its assets, its own, and those of roles."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from control.api.strategies import Strategy
from control.inventory import Operation
from control.ranking.candidates import Candidate, best
from control.ranking.roles import Role
from control.ranking.subject import Subject

# What clients can ask for, and what they get; or None, where others may have their turn.
Offer = tuple[Operation, str, Candidate] | None


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator wrote about routing. roles: by id. strategy: where a role names none."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    strategy: Strategy = Strategy.LEAST_LOADED


def offered(subject: Subject, rules: Rules) -> Iterator[Offer]:
    """Yield what clients can ask `subject` for, each name once; never long without a yield."""
    service = subject.service
    own: dict[Operation, Candidate] = {}
    for asset in service.assets:
        candidate = Candidate(
            service.service_id, asset.asset_id, asset.loaded, tier=int(not asset.loaded)
        )
        for operation in asset.operations:
            yield operation, asset.asset_id, candidate
            own[operation] = best((own.get(operation, candidate), candidate))
    for operation, candidate in own.items():
        yield operation, service.service_id, candidate
