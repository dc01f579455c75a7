"""What a service can be asked for: by the names of its assets, its own, and those of roles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from control.api.strategies import Strategy
from control.inventory import Asset, Operation
from control.policy.effective import effective
from control.ranking.candidates import Candidate, best
from control.ranking.demands import Demand, demand
from control.ranking.eligibility import OF_DIRECT_REQUESTS, OF_OWNERS, refusal
from control.ranking.kinds import Kind, Vocabulary, kinds, vocabulary
from control.ranking.preferences import is_cold
from control.ranking.preferences import tier as direct_tier
from control.ranking.presets import SEED, Scoring
from control.ranking.roles import ANYBODY, Role
from control.ranking.scoring import Score, direct_score, role_score
from control.ranking.subject import Subject
from control.ranking.traits import Traits, traits
from control.ranking.waiting import IN_THE_ROOM, Waiting

# What an asset is called that has the name of a role.
ASSET = "asset/"
# Roles that are refused between two pauses, about 1 us each.
BREATH = 32

# What clients can ask for, and what they get; or None, where others may have their turn.
Offer = tuple[Operation, str, Candidate] | None


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator wrote about routing. roles: by id. strategy: where a role names none.

    waiting: for services that are busy. demands, words: made of the roles.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    strategy: Strategy = Strategy.LEAST_LOADED
    scoring: Scoring = SEED
    waiting: Waiting = IN_THE_ROOM
    demands: Mapping[Operation, Mapping[str, Demand]] = field(init=False, repr=False, compare=False)
    words: Vocabulary = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        demands: dict[Operation, dict[str, Demand]] = {operation: {} for operation in Operation}
        for role_id, role in self.roles.items():
            demands[role.operation][role_id] = demand(role, self.strategy)
        object.__setattr__(self, "demands", demands)
        words = vocabulary(role.routing for role in self.roles.values())
        object.__setattr__(self, "words", words)


def offered(subject: Subject, rules: Rules) -> Iterator[Offer]:
    """Yield what clients can ask `subject` for, each name of an operation once.

    Whether it is alive is judged elsewhere: what it offers is known all the time. Between
    two yields are some 50 us, more where roles can tell very many kinds of assets apart.
    """
    found = traits(subject)
    yield from _direct_offers(subject, found, rules)
    by_operation = yield from kinds(found, rules.words)
    for operation, of_operation in by_operation.items():
        refused = 0
        for role_id, wanted in rules.demands[operation].items():
            if candidate := role_candidate(wanted, subject, found, of_operation, rules.scoring):
                yield operation, role_id, candidate
            elif (refused := refused + 1) % BREATH == 0:
                yield None


def role_candidate(
    wanted: Demand, subject: Subject, found: Traits, of_operation: Sequence[Kind], scoring: Scoring
) -> Candidate | None:
    """Return how `subject` would serve a role: by the best of the assets that may, or None.

    found: its traits. of_operation: the kinds of its assets for the role's operation.
    """
    ways = [(wanted.tier(found, kind), kind) for kind in of_operation if wanted.admits(found, kind)]
    if not ways:
        return None
    lowest = min([tier for tier, _ in ways])
    role = wanted.role
    # A score costs more than all the rest, and only those of one tier are compared by it.
    scores = [
        (role_score(role, subject, kind.asset, scoring), kind.asset)
        for tier, kind in ways
        if tier == lowest
    ]
    score, asset = min(scores, key=_by_score) if len(scores) > 1 else scores[0]
    return Candidate(
        subject.service.service_id,
        asset.asset_id,
        asset.loaded,
        score.total,
        lowest,
        score.runtime,
        effective(asset, role.request_policy, role.operation, provider=found.is_provider),
        subject.service.loads_on_request and not asset.loaded,
    )


def _by_score(way: tuple[Score, Asset]) -> tuple[float, str]:
    score, asset = way
    return -score.total, asset.asset_id


def direct_candidate(
    subject: Subject, found: Traits, asset: Asset, operation: Operation, rules: Rules
) -> Candidate | None:
    """Return how `subject` would serve `asset` to who asks for it by name; None if it may not."""
    if refusal((OF_OWNERS, OF_DIRECT_REQUESTS), ANYBODY, found, asset) is not None:
        return None
    score = direct_score(subject, asset, rules.scoring)
    return Candidate(
        subject.service.service_id,
        asset.asset_id,
        asset.loaded,
        score.total,
        direct_tier(
            remote=found.is_provider,
            cold=is_cold(
                rules.strategy,
                loaded=asset.loaded,
                loads_on_request=subject.service.loads_on_request,
            ),
        ),
        score.runtime,
        effective(asset, None, operation, provider=found.is_provider),
        subject.service.loads_on_request and not asset.loaded,
    )


def direct_name(asset_id: str, rules: Rules) -> str:
    """Return what an asset is asked for by: roles own their names. No two have the same."""
    bare = asset_id
    while bare.startswith(ASSET):
        bare = bare.removeprefix(ASSET)
    return f"{ASSET}{asset_id}" if bare in rules.roles else asset_id


def _direct_offers(subject: Subject, found: Traits, rules: Rules) -> Iterator[Offer]:
    """Yield the assets that are offered by name, and the service as its best asset."""
    own: dict[Operation, Candidate] = {}
    named: set[Operation] = set()  # for which an asset has the name of the service
    service_id = subject.service.service_id
    for asset in subject.service.assets:
        name = direct_name(asset.asset_id, rules)
        for operation in asset.operations:
            candidate = direct_candidate(subject, found, asset, operation, rules)
            if candidate is None:
                yield None
                continue
            yield operation, name, candidate
            own[operation] = best((own.get(operation, candidate), candidate))
            if name == service_id:
                named.add(operation)
    if service_id in rules.roles:
        return
    for operation, candidate in own.items():
        if operation not in named:
            yield operation, service_id, candidate
