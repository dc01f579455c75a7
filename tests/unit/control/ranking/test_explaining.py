"""What is explained is what is done: the table's offers, their order, and the strategies."""

from collections import defaultdict
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.strategies import Strategy, live_score, waiting
from control.health import well
from control.inventory import Asset, Endpoint, Health, Host, Operation, Service
from control.ranking.candidates import order
from control.ranking.explaining import explain
from control.ranking.offering import Rules, offered
from control.ranking.picking import Load
from control.ranking.questions import Seen
from control.ranking.roles import Role, RoutingPolicy
from control.ranking.scoring import queue_steps
from control.ranking.speed import Speed
from control.ranking.subject import Subject
from control.ranking.whatif import Lead
from tests.unit.control.ranking.registries import Registry, registry

REGISTRIES = 3_000


def table(registry: Registry):
    """Return who offers what: services and their candidates by operation and name."""
    offers = defaultdict(list)
    for one in registry.seen:
        for operation, name, candidate in filter(None, offered(one.subject, registry.rules)):
            offers[operation, name].append((one, candidate))
    return offers


def served(offers, name: str):
    """Return who serves a name of all who offer it, best first, as the table has it."""
    named = [(one, candidate) for one, candidate in offers if candidate.asset_id == name]
    alive = [
        (one, candidate)
        for one, candidate in (named or offers)
        if well(one.host, one.health, one.subject.signals.availability)
    ]
    steady = [(one, candidate) for one, candidate in alive if not one.held_back]
    return sorted(steady or alive, key=lambda pair: order(pair[1]))


def picks(strategy: Strategy, pairs, steps):
    """Return the services that gateways may send the next request to."""
    held = [candidate.asset_id for _, candidate in pairs if not candidate.absent]
    reckoned = strategy is Strategy.EXPECTED_COMPLETION
    there = []
    for one, candidate in pairs:
        loads = candidate.absent and candidate.asset_id in held
        if not loads or (reckoned and not one.load.loaded_assets):
            there.append((one, candidate))
    first = [pair for pair in there if pair[1].tier == there[0][1].tier]

    def score(pair):
        load, candidate = pair[0].load, pair[1]
        waits = waiting(load.in_flight, load.queue_depth, load.concurrency)
        return live_score(candidate.score, candidate.runtime, waits, steps)

    def busy(pair):
        return pair[0].load.in_flight + pair[0].load.queue_depth

    if not reckoned:
        # Who is busy with another model loads nothing now.
        first = [
            pair
            for pair in first
            if not (pair[1].absent and pair[0].load.loaded_assets and busy(pair))
        ] or first
    match strategy:
        case Strategy.SCORED:
            best = max(map(score, first))
            return {min(p[1].service_id for p in first if score(p) == best)}
        case Strategy.LEAST_LOADED:
            least = min(map(busy, first))
            return {next(p[1].service_id for p in first if busy(p) == least)}
        case Strategy.EXPECTED_COMPLETION:
            least = min(p[0].load.expected(p[1]).cost for p in first)
            return {next(p[1].service_id for p in first if p[0].load.expected(p[1]).cost == least)}
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
    offers = table(registry)
    by_name = {one: served(offers[operation, one], "" if role else one) for one in chain}
    serving = next((one for one in chain if by_name[one]), name)
    pairs = by_name[serving]

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


def test_explanations_agree_with_decisions_in_thousands_of_registries():
    random = Random(4)
    serving: defaultdict[int, int] = defaultdict(int)
    for _ in range(REGISTRIES):
        one = registry(random)
        # The name of a role as often as any other: there is most to get wrong.
        name = random.choice(random.choice((one.names, list(one.rules.roles) or ["?"])))
        operation = Operation.CHAT if random.random() < 0.8 else Operation.EMBEDDINGS
        serving[agree(one, operation, name)] += 1

    assert all(serving[count] > REGISTRIES // 100 for count in range(4)), serving


def chat(service_id="h/s", *assets, trust_tier="", **fields):
    """Return a service that is well, with one loaded asset unless told otherwise."""
    host_id, _, _ = service_id.partition("/")
    assets = assets or (Asset("m", (Operation.CHAT,), loaded=True),)
    service = Service(service_id, host_id, Endpoint("http", "127.0.0.1:1"), assets=assets)
    return Seen(Subject(Host(host_id, trust_tier=trust_tier), service), **fields)


def role(role_id, *stand_ins, operation=Operation.CHAT, **routing):
    return Role(role_id, operation, routing=RoutingPolicy(**routing), stand_ins=stand_ins)


def explained(name, seen, *roles, **fields):
    rules = Rules({one.role_id: one for one in roles}, **fields)
    return explain(name, Operation.CHAT, seen, rules)


def shut(explanation):
    return [(gate.name, gate.detail) for gate in explanation.gates if not gate.passed]


def test_a_fallback_says_why_the_roles_before_it_are_passed_over():
    found = explained(
        "mentor",
        [chat("a/s"), chat("b/s", trust_tier="trusted"), chat("c/s", health=Health.UNHEALTHY)],
        role(
            "mentor",
            "tutor",
            "embedder",
            "helper",
            "spare",
            min_context=0,
            require_loaded=True,
            allowed_trust_tiers=("top",),
        ),
        role("tutor", denied_trust_tiers=("trusted",), allowed_device_classes=("server",)),
        role("embedder", operation=Operation.EMBEDDINGS),
        role("helper", allowed_trust_tiers=("trusted",)),
        role("spare"),
    )

    assert found.role_id == "helper"
    assert found.stand_ins == ("tutor", "helper", "spare")
    assert found.passed_over == (
        ("mentor", "trust_tier at 3, health at 1"),
        ("tutor", "device_class at 3, health at 1, trust_tier at 1"),
    )
    assert [(one.service_id, one.chosen) for one in found.explanations] == [
        ("b/s", True),
        ("a/s", False),
        ("c/s", False),
    ]


def test_a_role_that_nobody_serves_is_explained_by_its_own_gates():
    found = explained(
        "mentor",
        [chat()],
        role("mentor", require_loaded=True, min_context=1, denied_trust_tiers=("",)),
    )

    assert found.role_id == "mentor"
    assert found.passed_over == (("mentor", "trust_tier at 1"),)
    assert not found.explanations[0].chosen
    assert found.explanations[0].terms == ()
    assert shut(found.explanations[0]) == [("trust_tier", "unknown; wanted: none of ")]
    assert explained("mentor", [], role("mentor")).passed_over == (
        ("mentor", "no service offers the operation"),
    )


@given(st.data())
def test_fallback_terminates_on_any_graph(data):
    ids = [f"r{n}" for n in range(data.draw(st.integers(1, 6)))]
    targets = st.lists(st.sampled_from([*ids, "gone"]), max_size=8)
    roles = [role(one, *data.draw(targets), allowed_trust_tiers=("none",)) for one in ids]

    found = explained("r0", [chat()], *roles)
    assert [role_id for role_id, _ in found.passed_over] == ["r0", *found.stand_ins]


def test_who_comes_and_goes_serves_only_where_there_is_nobody_else():
    flapping, steady = chat("a/s", held_back=True), chat("b/s")

    both = explained("m", [flapping, steady])
    assert [(one.service_id, one.chosen) for one in both.explanations] == [
        ("b/s", True),
        ("a/s", False),
    ]
    assert [name for name, _ in shut(both.explanations[1])] == ["steady"]
    alone = explained("m", [flapping])
    assert alone.explanations[0].chosen
    assert shut(alone.explanations[0]) == []


def test_the_asset_that_comes_nearest_explains_a_service_that_is_refused():
    service = chat(
        "h/s",
        Asset("far", (Operation.CHAT,), context_tokens=10),
        Asset("near", (Operation.CHAT,), context_tokens=10, loaded=True),
    )
    found = explained("r", [service], role("r", min_context=20, require_loaded=True))

    assert found.explanations[0].asset_id == "near"
    assert shut(found.explanations[0]) == [("min_context", "10; wanted: at least 20 tokens")]


def test_preferences_are_told_in_words_the_weightiest_first():
    service = chat("h/s", Asset("Qwen/Qwen3-8B", (Operation.CHAT,), labels=("fast",)))
    wants = {
        "guardrail_profile": "forge_proxy",
        "preferred_families": ("mistral", "qwen3"),
        "preferred_labels": ("fast", "gpu"),
    }

    assert explained("r", [service], role("r", **wants)).explanations[0].preferences == (
        "no forge_proxy",
        "family qwen3",
        "lacks gpu",
        "local",
        "not loaded",
    )
    scored = explained("r", [service], role("r", strategy="scored")).explanations[0]
    assert scored.preferences == ("local",)


@pytest.mark.parametrize("name", ["m", "r"])
@pytest.mark.parametrize("on_request", [True, False])
@pytest.mark.parametrize("strategy", Strategy)
def test_what_is_in_memory_is_told_as_a_preference_where_it_decides(strategy, on_request, name):
    pair = []
    for service_id, loaded in (("a/s", False), ("b/s", True)):
        one = chat(service_id, Asset("m", (Operation.CHAT,), loaded=loaded))
        service = replace(one.subject.service, loads_on_request=on_request)
        pair.append(replace(one, subject=replace(one.subject, service=service)))

    first, second = explained(name, pair, role("r"), strategy=strategy).explanations
    assert (first.preferences != second.preferences) == (first.tier != second.tier)


def test_a_name_that_nobody_has_is_explained_too():
    found = explained("x", [chat()], role("r"))

    assert (found.role_id, found.lead, found.would_change) == ("", None, ())
    assert shut(found.explanations[0]) == [("name", "nothing called x there")]


def test_a_service_with_the_name_of_a_role_is_not_meant_by_it():
    found = explained("a/s", [chat("a/s")], replace(role("a/s"), operation=Operation.EMBEDDINGS))

    assert shut(found.explanations[0]) == [("name", "nothing called a/s there")]


def test_requests_that_wait_cost_what_is_told():
    busy = chat("b/s", load=Load(in_flight=3, queue_depth=5))
    idle = chat("a/s", Asset("m", (Operation.CHAT,)))

    found = explained("m", [busy, idle], strategy=Strategy.SCORED)
    first, second = found.explanations
    assert (first.service_id, first.in_flight, first.queue_depth) == ("b/s", 3, 5)
    # .45 runtime x .35 loaded = .1575; five that wait cost .45 x .20 of it.
    assert (first.score, first.live_penalty) == (0.1575, 0.09)
    assert (first.chosen, second.chosen) == (True, False)
    assert found.lead == Lead("b/s", "a/s", 0.0675)
    assert found.would_change == ("m unloaded (-0.16)",)


def test_whom_requests_would_wait_for_is_told_beside_what_each_is_expected_to_take():
    fast = {"m": Speed(2_000.0, ((1, 50.0),), answer=100.0)}
    full = chat("a/s", load=Load(2, 0, 2, gated=True, speeds=fast, waiting=4))
    unread = chat("b/s", load=Load(1, 0, 2, pending_s=0.9, gated=True))
    free = chat("c/s", load=Load(1, 0, 2, gated=True))

    found = explained("m", [full, unread, free])
    by_id = {one.service_id: one for one in found.explanations}
    slots = {
        name: [gate.detail for gate in one.gates if gate.name == "slot"]
        for name, one in by_id.items()
    }
    assert slots == {
        "a/s": ["2 of 2 busy; requests wait in gateways"],
        "b/s": ["prompts to be read first; requests wait in gateways"],
        "c/s": [],
    }
    assert all(gate.passed for one in found.explanations for gate in one.gates)
    assert [name for name, one in by_id.items() if one.chosen] == ["c/s"]
    assert by_id["a/s"].waiting == 4
    assert by_id["a/s"].expected is not None
    assert by_id["a/s"].expected.slot > 0
    assert by_id["b/s"].expected is None  # nothing is known of it, or of others with the asset


def test_who_would_load_what_others_have_is_said_to_be_spared():
    warm = chat("a/s", Asset("m", (Operation.CHAT,), loaded=True))
    cold = chat("b/s", Asset("m", (Operation.CHAT,)), load=Load(loaded_assets=1))
    service = replace(cold.subject.service, loads_on_request=True)
    cold = replace(cold, subject=replace(cold.subject, service=service))

    def told(*seen):
        found = explained("m", seen, strategy=Strategy.SCORED).explanations
        return {one.service_id: (one.chosen, one.gates[-1].name) for one in found}

    assert told(warm, cold) == {"a/s": (True, "direct_requests"), "b/s": (False, "memory")}
    assert told(cold) == {"b/s": (True, "direct_requests")}


def test_what_would_end_elsewhere_sooner_is_told_by_its_cost():
    def lasting(service_id, in_flight, rate):
        speeds = {"m": Speed(1_000.0, ((1, rate),), answer=100.0)}
        return chat(service_id, load=Load(in_flight, 0, 4, gated=True, speeds=speeds))

    found = explained(
        "m",
        [lasting("a/s", 0, 5.0), lasting("b/s", 2, 50.0)],
        strategy=Strategy.EXPECTED_COMPLETION,
    )
    quick, slow = (
        next(one for one in found.explanations if one.service_id == name) for name in ("b/s", "a/s")
    )
    assert (quick.chosen, slow.chosen) == (True, False)
    assert found.lead == Lead("b/s", "a/s", round(slow.expected.cost - quick.expected.cost, 4))
    # With two more than there are slots for, the first token would be late there.
    assert found.would_change == ("m unloaded", "4 more requests at b/s")
