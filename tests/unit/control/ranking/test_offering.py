"""What `offered` finds by kinds of assets is what a look at every single one finds."""

from dataclasses import replace
from random import Random

import pytest

from control.api.strategies import Strategy
from control.inventory import (
    Asset,
    Endpoint,
    Host,
    Operation,
    Position,
    RequestPolicy,
    Service,
)
from control.ranking.candidates import Candidate, order
from control.ranking.eligibility import OF_DIRECT_REQUESTS, OF_ROLES, lent, refusal
from control.ranking.offering import Rules, offered
from control.ranking.preferences import (
    asset_labels,
    has_guardrails,
    host_labels,
    of_family,
    tier,
)
from control.ranking.roles import ANYBODY, Role, RoutingPolicy
from control.ranking.scoring import role_score
from control.ranking.subject import Signals, Subject
from control.ranking.traits import traits
from tests.unit.control.ranking.registries import registry
from tests.unit.control.ranking.trials import run, tried

CHAT, EMBEDDINGS = Operation.CHAT, Operation.EMBEDDINGS


def asset(asset_id="m", operations=(CHAT,), **fields):
    return Asset(asset_id, operations, **fields)


def subject(*assets, host_id="h", signals=None, service_id=None, **host):
    service = Service(
        service_id or f"{host_id}/s", host_id, Endpoint("http", "127.0.0.1:1"), assets=assets
    )
    return Subject(Host(host_id, **host), service, signals or Signals())


def role(role_id="r", operation=CHAT, policy=None, **routing):
    return Role(role_id, operation, routing=RoutingPolicy(**routing), request_policy=policy)


def rules(*roles, **fields):
    return Rules({one.role_id: one for one in roles}, **fields)


def offers(one: Subject, given: Rules) -> dict[tuple[Operation, str], Candidate]:
    """Return all offers by operation and name; none is there twice."""
    found = [offer for offer in offered(one, given) if offer is not None]
    by_name = {(operation, name): candidate for operation, name, candidate in found}
    assert len(by_name) == len(found)
    return by_name


def served_by(one: Subject, given: Rules, name="r", operation=CHAT):
    """Return the asset that serves a name, or None."""
    candidate = offers(one, given).get((operation, name))
    return candidate.asset_id if candidate else None


def looked_at_one_by_one(one: Subject, wanted: Role, given: Rules):
    """Return (tier, score, asset id) of the asset that serves a role, or None."""
    found, routing = traits(one), wanted.routing
    strategy = Strategy(routing.strategy) if routing.strategy else given.strategy
    families = [family.lower() for family in routing.preferred_families]
    labels = {label.lower() for label in routing.preferred_labels}
    ways = []
    for each in one.service.assets:
        if wanted.operation not in each.operations or not lent(found, each):
            continue
        if refusal(OF_ROLES, routing, found, each) is not None:
            continue
        fits = [rank for rank, family in enumerate(families) if of_family(each, family)]
        missing = labels - host_labels(one.host) - asset_labels(each)
        place = tier(
            unguarded=routing.guardrail_profile != "none"
            and not has_guardrails(routing.guardrail_profile, one.service),
            family=(min(fits, default=len(families)), len(families)),
            missing=(len(missing), len(labels)),
            remote=one.is_provider,
            cold=strategy is not Strategy.SCORED
            and not each.loaded
            and not (one.service.loads_on_request and strategy is Strategy.EXPECTED_COMPLETION),
        )
        score = role_score(wanted, one, each, given.scoring).total
        ways.append((place, -score, each.asset_id))
    return min(ways, default=None)


def test_what_a_server_says_that_its_model_can_do_is_a_label():
    one = subject(asset("a"), asset("sighted", capabilities=("vision",)))

    assert served_by(one, rules(role(preferred_labels=("Vision",)))) == "sighted"


def test_a_model_that_leaves_memory_is_preferred_no_more():
    wanted = rules(role())
    warm = subject(asset("a"), asset("b", loaded=True))
    assert served_by(warm, wanted) == "b"

    assert served_by(subject(asset("a"), asset("b")), wanted) == "a"


def test_a_service_serves_exactly_the_roles_that_it_may_by_the_best_asset_that_may():
    random = Random(1)
    served = 0
    for _ in range(2_000):
        made = registry(random)
        for seen in made.seen:
            found = offers(seen.subject, made.rules)
            for role_id, wanted in made.rules.roles.items():
                one = found.get((wanted.operation, role_id))
                way = (one.tier, -one.score, one.asset_id) if one else None
                assert way == looked_at_one_by_one(seen.subject, wanted, made.rules)
                served += one is not None
    assert served > 2_000


def test_who_is_asked_directly_may_be():
    random = Random(2)
    for _ in range(1_000):
        made = registry(random)
        for seen in made.seen:
            one, found = seen.subject, traits(seen.subject)
            by_id = {each.asset_id: each for each in one.service.assets}
            for (operation, name), candidate in offers(one, made.rules).items():
                each = by_id[candidate.asset_id]
                assert operation in each.operations
                assert lent(found, each)
                if name not in made.rules.roles:
                    assert refusal((OF_DIRECT_REQUESTS,), ANYBODY, found, each) is None
                    assert name in (each.asset_id, f"asset/{each.asset_id}", one.service.service_id)


def test_offers_do_not_depend_on_the_order_of_assets_or_roles():
    random = Random(3)
    for _ in range(500):
        made = registry(random)
        roles = list(made.rules.roles.items())
        random.shuffle(roles)
        shuffled = replace(made.rules, roles=dict(roles))
        for seen in made.seen:
            service = seen.subject.service
            assets = random.sample(service.assets, len(service.assets))
            other = replace(seen.subject, service=replace(service, assets=tuple(assets)))
            assert offers(other, shuffled) == offers(seen.subject, made.rules)


def test_values_that_no_clock_can_have_shown_do_not_break_the_order():
    strange = [float("nan"), float("inf"), -1.0, 1e308, -0.0]
    seen = [
        subject(asset(loaded=True), host_id=f"h{n}", signals=Signals(latency, speed))
        for n, (latency, speed) in enumerate((a, b) for a in strange for b in strange)
    ]
    given = rules(role())
    candidates = [offers(one, given)[CHAT, "r"] for one in seen]

    assert all(0 <= one.score <= 1 and 0 <= one.runtime <= one.score for one in candidates)
    shuffled = Random(0).sample(candidates, len(candidates))
    assert sorted(candidates, key=order) == sorted(shuffled, key=order)


def test_an_asset_with_the_name_of_a_role_is_asked_for_as_an_asset():
    both = subject(asset("r"), asset("m", loaded=True))

    assert served_by(both, rules(role("r"))) == "m"
    assert served_by(both, rules(role("r")), "asset/r") == "r"
    assert served_by(both, rules(role("r")), "asset/m") is None
    # Whatever the role is for: what a name means does not depend on the endpoint.
    assert served_by(both, rules(role("r", EMBEDDINGS))) is None
    assert served_by(both, rules(role("r", EMBEDDINGS)), "asset/r") == "r"


def test_no_two_assets_are_asked_for_alike():
    both = subject(asset("r"), asset("asset/r"), asset("asset/m"))

    assert served_by(both, rules(role("r")), "asset/r") == "r"
    assert served_by(both, rules(role("r")), "asset/asset/r") == "asset/r"
    assert served_by(both, rules(role("r")), "asset/m") == "asset/m"
    assert served_by(both, rules(), "asset/r") == "asset/r"


def test_a_service_with_the_name_of_a_role_leaves_it_to_the_role():
    one = subject(asset("m"))

    assert served_by(one, rules(), "h/s") == "m"
    assert served_by(one, rules(role("h/s", min_context=1)), "h/s") == "m"
    assert served_by(one, rules(role("h/s", allowed_trust_tiers=("trusted",))), "h/s") is None


def test_an_asset_with_the_name_of_its_service_is_that_name():
    one = subject(asset("h/s"), asset("m", loaded=True))

    assert served_by(one, rules(), "h/s") == "h/s"


def test_a_service_is_its_best_asset_for_each_operation():
    one = subject(
        asset("b", loaded=True), asset("a"), asset("e", (EMBEDDINGS,)), asset("c", loaded=True)
    )

    assert served_by(one, rules(), "h/s") == "b"
    assert served_by(one, rules(), "h/s", EMBEDDINGS) == "e"


@pytest.mark.parametrize(
    ("wants", "expected"),
    [
        ({}, "loaded"),
        ({"preferred_families": ("mistral",)}, "mistral-7b"),
        ({"preferred_families": ("gemma", "Mistral")}, "mistral-7b"),
        ({"preferred_families": ("gemma",)}, "loaded"),
        ({"preferred_families": ("mistral",), "require_loaded": True}, "loaded"),
        ({"preferred_families": ("mistral",), "min_context": 8192}, "long"),
        ({"preferred_labels": ("Fast",)}, "quick"),
        ({"preferred_labels": ("fast", "gpu")}, "quick"),
        ({"preferred_labels": ("gpu",)}, "loaded"),
        ({"preferred_families": ("mistral",), "preferred_labels": ("fast",)}, "mistral-7b"),
    ],
    ids=str,
)
def test_the_asset_that_makes_a_service_eligible_serves_the_role(wants, expected):
    one = subject(
        asset("mistral-7b", context_tokens=4096),
        asset("loaded", loaded=True, context_tokens=4096),
        asset("quick", labels=("fast",), context_tokens=4096),
        asset("long", context_tokens=8192),
        labels={"gpu": "a100"},
    )

    assert served_by(one, rules(role(**wants))) == expected


def test_local_services_come_before_providers_and_loaded_ones_before_others():
    given = rules(role(allow_providers=True))
    tiers = [
        offers(subject(asset(loaded=loaded), host_id=host_id), given)[CHAT, "r"].tier
        for host_id in ("h", "external-provider:x")
        for loaded in (True, False)
    ]

    assert tiers == [0, 1, 2, 3]


@pytest.mark.parametrize("loads_on_request", [True, False])
@pytest.mark.parametrize("loaded", [True, False])
def test_absent_is_what_a_service_would_load_to_answer(loads_on_request, loaded):
    one = subject(asset(loaded=loaded))
    one = replace(one, service=replace(one.service, loads_on_request=loads_on_request))
    found = offers(one, rules(role()))

    assert {candidate.absent for candidate in found.values()} == {loads_on_request and not loaded}
    assert {name for _, name in found} == {"m", "r", "h/s"}


def test_a_strategy_that_scores_leaves_it_to_the_score_what_is_loaded():
    cold, warm = subject(asset()), subject(asset(loaded=True))
    for given in (rules(role(), strategy=Strategy.SCORED), rules(role(strategy="scored"))):
        tiers = {offers(one, given)[CHAT, "r"].tier for one in (cold, warm)}
        assert tiers == {0}
    direct = [offers(one, rules(strategy=Strategy.SCORED))[CHAT, "m"] for one in (cold, warm)]
    assert [one.tier for one in direct] == [0, 0]
    assert direct[0].score < direct[1].score


def test_a_candidate_carries_the_policy_of_its_asset_and_role():
    prompt = RequestPolicy(system_prompt="be brief", position=Position.APPEND)
    one = subject(asset("m", request_policy=RequestPolicy('{"seed":1}')))
    found = offers(one, rules(role("r", policy=prompt)))

    assert found[CHAT, "m"].policy == RequestPolicy('{"seed":1}')
    assert found[CHAT, "r"].policy == replace(prompt, body_defaults='{"seed":1}')


def test_a_service_that_many_roles_refuse_pauses_all_the_same():
    picky = [role(f"r{n}", allowed_trust_tiers=("trusted",)) for n in range(1_000)]

    made = list(offered(subject(asset()), rules(*picky)))
    assert [offer and offer[1] for offer in made if offer] == ["m", "h/s"]
    assert made.count(None) >= 30


def test_ten_thousand_assets_are_not_compared_with_every_role():
    """A tenth of them are loaded, and that is all that a role can tell."""
    assets = [asset(f"m{n}", loaded=n % 10 == 0) for n in range(10_000)]
    given = rules(*(role(f"r{n}", preferred_families=("mistral",)) for n in range(100)))

    found = offers(subject(*assets), given)
    assert len(found) == 10_000 + 1 + 100
    assert {found[CHAT, f"r{n}"].asset_id for n in range(100)} == {"m0"}


def test_of_equal_assets_a_role_gets_the_one_that_did_better():
    plain = subject(asset("a", loaded=True), asset("b", loaded=True))
    given = rules(role(agentic_benchmark_workloads=("code",)))
    did_better = tried(plain, run("code", {"pass_rate": 0.9}, asset_id="b"))

    assert offers(plain, given)[CHAT, "r"].asset_id == "a"
    assert offers(did_better, given)[CHAT, "r"].asset_id == "b"
    assert offers(did_better, given)[CHAT, "h/s"].asset_id == "b"
