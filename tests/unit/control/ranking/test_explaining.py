"""What is explained is what is done: the table's offers, their order, and the strategies."""

from collections import defaultdict
from random import Random

import pytest

from control.api.strategies import Strategy, live_score, waiting
from control.health import well
from control.inventory import Operation
from control.ranking.candidates import order
from control.ranking.explaining import explain
from control.ranking.offering import offered
from control.ranking.scoring import queue_steps
from tests.unit.control.ranking.registries import Registry, registry

REGISTRIES = 10_000


def served(registry: Registry, operation: Operation, name: str):
    """Return who serves a name, best first, as the table has it."""
    offers = []
    for one in registry.seen:
        availability = one.subject.signals.availability
        for offer in filter(None, offered(one.subject, registry.rules)):
            if offer[:2] == (operation, name):
                offers.append((one, offer[2], well(one.host, one.health, availability)))
    named = [offer for offer in offers if offer[1].asset_id == name]
    if name not in registry.rules.roles:
        offers = named or offers
    alive = [(one, candidate) for one, candidate, is_well in offers if is_well]
    steady = [(one, candidate) for one, candidate in alive if not one.held_back]
    return sorted(steady or alive, key=lambda pair: order(pair[1]))


def picks(strategy: Strategy, pairs, steps):
    """Return the services that gateways may send the next request to."""
    first = [pair for pair in pairs if pair[1].tier == pairs[0][1].tier]

    def score(pair):
        load, candidate = pair[0].load, pair[1]
        waits = waiting(load.in_flight, load.queue_depth, load.concurrency)
        return live_score(candidate.score, candidate.runtime, waits, steps)

    def busy(pair):
        return pair[0].load.in_flight + pair[0].load.queue_depth

    match strategy:
        case Strategy.SCORED:
            best = max(map(score, first))
            return {min(p[1].service_id for p in first if score(p) == best)}
        case Strategy.LEAST_LOADED:
            least = min(map(busy, first))
            return {next(p[1].service_id for p in first if busy(p) == least)}
        case Strategy.POWER_OF_TWO if len(first) > 1:
            # Who wins against anybody; of equally busy ones the better score does.
            most = max(map(busy, first))
            last = [p for p in first if busy(p) == most][-1]
            return {p[1].service_id for p in first if p is not last}
        case _:
            return {p[1].service_id for p in first}


def agree(registry: Registry, operation: Operation, name: str) -> int:
    """Check one explanation against the decision; return how many serve."""
    explained = explain(name, operation, registry.seen, registry.rules)
    roles = registry.rules.roles
    role = roles.get(name) if name in roles and roles[name].operation is operation else None
    chain = [name, *(role.stand_ins if role else ())]
    chain = [one for one in chain if one == name or roles[one].operation is operation]
    serving = next((one for one in chain if served(registry, operation, one)), name)
    pairs = served(registry, operation, serving)

    ways = [way for way in explained.explanations if all(gate.passed for gate in way.gates)]
    assert [(way.service_id, way.asset_id, way.score, way.tier) for way in ways] == [
        (one.service_id, one.asset_id, one.score, one.tier) for _, one in pairs
    ]
    assert list(explained.explanations[: len(ways)]) == ways
    assert explained.role_id == (serving if role else "")
    skipped = chain[: chain.index(serving)] if pairs else chain
    assert [role_id for role_id, _ in explained.passed_over] == (skipped if role else [])

    weights = registry.rules.scoring.role if role else registry.rules.scoring.service
    steps = queue_steps(registry.rules.scoring, weights.runtime)
    chosen = {way.service_id for way in explained.explanations if way.chosen}
    assert chosen == (picks(explained.strategy, pairs, steps) if pairs else set())
    everybody = [
        one.subject.service.service_id
        for one in registry.seen
        if any(operation in asset.operations for asset in one.subject.service.assets)
    ]
    assert sorted(way.service_id for way in explained.explanations) == sorted(everybody)
    for way in ways:
        total = sum(term.weight * term.value for term in way.terms)
        assert way.score == pytest.approx(total, abs=2e-4)
    return len(ways)


def test_explanations_agree_with_decisions_in_10_000_registries():
    random = Random(4)
    serving: defaultdict[int, int] = defaultdict(int)
    for _ in range(REGISTRIES):
        one = registry(random)
        # The name of a role as often as any other: there is most to get wrong.
        name = random.choice(random.choice((one.names, list(one.rules.roles) or ["?"])))
        operation = Operation.CHAT if random.random() < 0.8 else Operation.EMBEDDINGS
        serving[agree(one, operation, name)] += 1

    assert all(serving[count] > REGISTRIES // 100 for count in range(4)), serving
