"""What is asked of a service for a name: as a role, or directly by an asset or the service."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from control.api.strategies import QueueSteps, Strategy
from control.inventory import Asset, Health, HostState, Operation
from control.ranking.candidates import Candidate, best
from control.ranking.demands import Demand
from control.ranking.eligibility import OF_DIRECT_REQUESTS, OF_OWNERS, USABLE, Gate, gates
from control.ranking.kinds import Kind, kinds
from control.ranking.offering import Rules, direct_candidate, direct_name, role_candidate
from control.ranking.picking import IDLE, Load
from control.ranking.preferences import is_cold
from control.ranking.roles import ANYBODY
from control.ranking.scoring import queue_steps
from control.ranking.subject import Subject
from control.ranking.terms import Term, direct_terms, role_terms
from control.ranking.traits import Traits, traits

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """A service, and what is known of it beside what ranking looks at.

    why: in words, why it is not healthy, where its node does not say so. held_back: whether
    it comes and goes too often to be relied upon. drained: the names by which an operator
    sends it nothing new. told: by its node, in words, if anything.
    """

    subject: Subject
    host: HostState = HostState.ONLINE
    health: Health = Health.HEALTHY
    why: str = ""
    held_back: bool = False
    drained: tuple[str, ...] = ()
    load: Load = IDLE
    told: str = ""

    @property
    def alive(self) -> bool:
        """Whether requests may go there at all."""
        return all(gate.passed for gate in self.gates())

    def gates(self) -> tuple[Gate, ...]:
        """Return what any service must fulfil, whatever it is asked for."""
        availability = self.subject.signals.availability
        usable = availability in USABLE
        why = f": {self.told}" if self.told and not usable else ""
        found = (
            Gate("host", self.host is HostState.ONLINE, self.host.value),
            Gate("health", self.health is Health.HEALTHY, self.why or self.health.value),
            Gate("availability", usable, f"{availability.value}{why}"),
        )
        if not self.drained:
            return found
        return (*found, Gate("drained", passed=False, detail=f"as {' and '.join(self.drained)}"))


@dataclass(frozen=True, slots=True)
class Reading:
    """A service with all that questions look at. assets, kinds: those for the operation."""

    seen: Seen
    traits: Traits
    assets: tuple[Asset, ...]
    kinds: tuple[Kind, ...]

    @property
    def subject(self) -> Subject:
        """The service and its host."""
        return self.seen.subject

    @property
    def service_id(self) -> str:
        """The service, by id."""
        return self.seen.subject.service.service_id


def reading(seen: Seen, operation: Operation, rules: Rules) -> Reading | None:
    """Return what questions look at in a service; None when it does not offer `operation`."""
    assets = tuple(one for one in seen.subject.service.assets if operation in one.operations)
    if not assets:
        return None
    found = traits(seen.subject)
    by_operation = _finished(kinds(found, rules.words))
    return Reading(seen, found, assets, by_operation.get(operation, ()))


class Question(Protocol):
    """What a name asks of each service. steps: what requests that wait cost a score."""

    @property
    def strategy(self) -> Strategy: ...

    @property
    def steps(self) -> QueueSteps: ...

    def candidate(self, one: Reading) -> Candidate | None:
        """Return how a service would serve the name; None when it may not."""

    def nearest(self, one: Reading) -> Asset:
        """Return the asset of a service that is no candidate which comes nearest to one."""

    def gates(self, one: Reading, asset: Asset) -> tuple[Gate, ...]:
        """Return all that `candidate` asks of an asset of a service."""

    def terms(self, one: Reading, asset: Asset) -> tuple[Term, ...]:
        """Return what the score of a candidate is made of."""

    def preferences(self, one: Reading, asset: Asset) -> tuple[str, ...]:
        """Return what the tier of a candidate is made of, in words, the weightiest first."""


@dataclass(frozen=True, slots=True)
class InRole:
    """To serve a role."""

    demand: Demand
    rules: Rules

    @property
    def strategy(self) -> Strategy:
        return self.demand.strategy

    @property
    def steps(self) -> QueueSteps:
        return queue_steps(self.rules.scoring, self.rules.scoring.role.runtime)

    def candidate(self, one: Reading) -> Candidate | None:
        return role_candidate(self.demand, one.subject, one.traits, one.kinds, self.rules.scoring)

    def nearest(self, one: Reading) -> Asset:
        assets = [kind.asset for kind in one.kinds] or one.assets
        return min(assets, key=lambda asset: (shut(self.gates(one, asset)), asset.asset_id))

    def gates(self, one: Reading, asset: Asset) -> tuple[Gate, ...]:
        rules = (OF_OWNERS, *self.demand.rules)
        return gates(rules, self.demand.role.routing, one.traits, asset)

    def terms(self, one: Reading, asset: Asset) -> tuple[Term, ...]:
        return role_terms(self.demand.role, one.subject, asset, self.rules.scoring)

    def preferences(self, one: Reading, asset: Asset) -> tuple[str, ...]:
        (kind,) = (kind for kind in one.kinds if kind.asset.asset_id == asset.asset_id)
        return self.demand.words(one.traits, kind)


class Direct:
    """To serve an asset or a service by its own name; assets own their names before services."""

    def __init__(
        self, name: str, operation: Operation, rules: Rules, readings: Iterable[Reading]
    ) -> None:
        self._name = name
        self._operation = operation
        self._rules = rules
        self._is_asset = any(
            self._offer(one, asset) for one in readings for asset in self._called_so(one)
        )

    @property
    def strategy(self) -> Strategy:
        return self._rules.strategy

    @property
    def steps(self) -> QueueSteps:
        return queue_steps(self._rules.scoring, self._rules.scoring.service.runtime)

    def candidate(self, one: Reading) -> Candidate | None:
        offers = [self._offer(one, asset) for asset in self._meant(one)]
        return best(found) if (found := [offer for offer in offers if offer]) else None

    def nearest(self, one: Reading) -> Asset:
        return min(self._meant(one) or one.assets, key=lambda asset: asset.asset_id)

    def gates(self, one: Reading, asset: Asset) -> tuple[Gate, ...]:
        meant = asset in self._meant(one)
        detail = f"{asset.asset_id} serves it" if meant else f"nothing called {self._name} there"
        others = gates((OF_OWNERS, OF_DIRECT_REQUESTS), ANYBODY, one.traits, asset)
        return (Gate("name", meant, detail), *others)

    def terms(self, one: Reading, asset: Asset) -> tuple[Term, ...]:
        return direct_terms(one.subject, asset, self._rules.scoring)

    def preferences(self, one: Reading, asset: Asset) -> tuple[str, ...]:
        words = ["external provider" if one.traits.is_provider else "local"]
        on_request = one.subject.service.loads_on_request
        if is_cold(self.strategy, loaded=False, loads_on_request=on_request):
            words.append("loaded" if asset.loaded else "not loaded")
        return tuple(words)

    def _offer(self, one: Reading, asset: Asset) -> Candidate | None:
        return direct_candidate(one.subject, one.traits, asset, self._operation, self._rules)

    def _meant(self, one: Reading) -> tuple[Asset, ...]:
        """Return the assets of a service that the name means."""
        if self._is_asset:
            return self._called_so(one)
        meant = one.service_id == self._name and self._name not in self._rules.roles
        return one.assets if meant else ()

    def _called_so(self, one: Reading) -> tuple[Asset, ...]:
        names = ((asset, direct_name(asset.asset_id, self._rules)) for asset in one.assets)
        return tuple(asset for asset, name in names if name == self._name)


def withheld(name: str, seen: Iterable[Seen], rules: Rules) -> str:
    """Return which service has `name` without being asked by it, and why; empty for none."""
    for one in seen:
        service = one.subject.service
        for asset in service.assets:
            if name not in (service.service_id, direct_name(asset.asset_id, rules)):
                continue
            found = gates((OF_OWNERS, OF_DIRECT_REQUESTS), ANYBODY, traits(one.subject), asset)
            if closed := [f"{gate.name}: {gate.detail}" for gate in found if not gate.passed]:
                return f"{service.service_id}, {'; '.join(closed)}"
    return ""


def shut(found: Iterable[Gate]) -> int:
    """Return how many of the gates are shut."""
    return sum(not gate.passed for gate in found)


def _finished(work: Generator[None, None, T]) -> T:
    """Do all of `work`, without its pauses."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: T = done.value
            return result
