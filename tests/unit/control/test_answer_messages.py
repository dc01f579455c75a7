"""ResolveRoute and MatchRoutes over gRPC: what is asked, refused and answered."""

import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control import answer_messages
from control.api.channel import control_errors
from control.api.errors import (
    InvalidValue,
    ModelNotFound,
    NoHealthyRoute,
    NotReady,
    OperationMismatch,
)
from control.inventory import Operation, RequestPolicy
from control.policy.effective import policy_id
from control.ranking.offering import Rules
from control.ranking.roles import Role, RoutingPolicy
from control.ranking.speed import Speed
from tests.unit.control.requests import registration, service
from tests.unit.control.serving import until

pytestmark = pytest.mark.anyio

CHAT, EMBEDDINGS = inventory.OPERATION_CHAT, inventory.OPERATION_EMBEDDINGS
LOADING = inventory.ServiceObservation(health=inventory.HEALTH_LOADING)
PROMPT = RequestPolicy(system_prompt="be kind")


def role(role_id, operation=Operation.CHAT, *, stand_ins=(), policy=None, **routing):
    return Role(
        role_id,
        operation,
        description=f"explains things as {role_id}",
        routing=RoutingPolicy(**routing),
        request_policy=policy,
        stand_ins=stand_ins,
    )


async def has(control, *services, roles=()):
    """Let control know services, of hosts that their ids name, and roles; wait for the table."""
    control.publisher.rule(Rules({one.role_id: one for one in roles}))
    for one in services:
        host_id = one.service_id.partition("/")[0]
        await control.registry.RegisterHost(registration(host_id, one))
    names = {one.service_id for one in services} | {one.role_id for one in roles}
    await until(
        lambda: (
            names <= {*control.compiler.targets["chat"], *control.compiler.targets["embeddings"]}
        )
    )


async def settle(control):
    """Let the time pass that hosts have to come back."""
    control.clock.now += 31.0
    await control.registry.RegisterHost(registration("last"))
    await until(lambda: control.routes.settled)


async def resolve(control, model, operation=0, *, explain=False):
    with control_errors():
        return await control.routing.ResolveRoute(
            pb.ResolveRouteRequest(model=model, operation=operation, explain=explain)
        )


async def match(control, **asked):
    with control_errors():
        return await control.routing.MatchRoutes(pb.MatchRoutesRequest(**asked))


def services_of(answer):
    return [one.candidate.service_id for one in answer.candidates]


async def test_resolving_names_candidates_best_first(control):
    await has(control, service("h1/s", "m"), service("h2/s", "m", loaded=True))
    answer = await resolve(control, "m")

    assert services_of(answer) == ["h2/s", "h1/s"]
    assert answer.candidates[0].endpoint == service().endpoint
    assert answer.operation == CHAT
    assert answer.strategy == pb.STRATEGY_LEAST_LOADED
    assert not answer.role_id
    assert not answer.explanations
    by_service = await resolve(control, "h1/s")
    assert [one.candidate.asset_id for one in by_service.candidates] == ["m"]


async def test_a_role_is_resolved_to_what_it_prefers_with_its_policy(control):
    mentor = role("mentor", policy=PROMPT, preferred_families=("qwen",), strategy="scored")
    await has(control, service("h1/s", "llama", "qwen3"), service("h2/s", "llama"), roles=[mentor])
    answer = await resolve(control, "mentor")

    assert [(one.candidate.service_id, one.candidate.asset_id) for one in answer.candidates] == [
        ("h1/s", "qwen3"),
        ("h2/s", "llama"),
    ]
    assert answer.role_id == "mentor"
    assert answer.strategy == pb.STRATEGY_SCORED
    assert answer.candidates[0].candidate.tier < answer.candidates[1].candidate.tier
    assert answer.candidates[1].candidate.policy_id == policy_id(PROMPT)


async def test_an_asset_named_like_a_role_is_asked_for_by_another_name(control):
    await has(control, service("h1/s", "mentor", "m", loaded=True), roles=[role("mentor")])

    assert (await resolve(control, "mentor")).role_id == "mentor"
    direct = await resolve(control, "asset/mentor")
    assert not direct.role_id
    assert direct.candidates[0].candidate.asset_id == "mentor"


async def test_a_stand_in_that_serves_is_named(control):
    demanding = role("first", require_loaded=True, stand_ins=("second", "third"))
    roles = [demanding, role("second", min_context=10**6, require_loaded=True), role("third")]
    await has(control, service("h1/s", "m"), roles=roles)

    assert (await resolve(control, "first")).role_id == "third"
    explained = await resolve(control, "first", explain=True)
    assert explained.role_id == "third"
    assert list(explained.fallback_roles) == ["second", "third"]
    assert [one.role_id for one in explained.passed_over] == ["first", "second"]
    assert "require_loaded" in explained.passed_over[0].reason


async def test_without_an_operation_the_name_says_it(control):
    embeds = service("h1/s", "embed")
    embeds.assets[0].operations[:] = [EMBEDDINGS]
    both = service("h2/s", "both")
    both.assets[0].operations.append(EMBEDDINGS)
    await has(control, embeds, both, roles=[role("finder", Operation.EMBEDDINGS)])

    assert (await resolve(control, "embed")).operation == EMBEDDINGS
    assert (await resolve(control, "finder")).operation == EMBEDDINGS
    assert (await resolve(control, "both")).operation == CHAT
    assert (await resolve(control, "both", EMBEDDINGS)).operation == EMBEDDINGS


async def test_a_name_for_another_operation_is_a_mismatch_even_explained(control):
    await has(control, service("h1/s", "m"), roles=[role("mentor")])

    for name in ("m", "mentor"):
        for explain in (False, True):
            with pytest.raises(OperationMismatch, match="serves chat, not embeddings"):
                await resolve(control, name, EMBEDDINGS, explain=explain)


async def test_what_nobody_can_serve_now_is_an_error_or_an_explanation(control):
    await has(
        control,
        service("h1/s", "qwen3:14b", observation=LOADING),
        roles=[role("mentor"), role("helper")],
    )
    for name in ("qwen3:14b", "mentor"):
        with pytest.raises(NoHealthyRoute, match=f"'{name}'"):
            await resolve(control, name)
        answer = await resolve(control, name, explain=True)
        (why,) = answer.explanations
        assert not answer.candidates
        assert [gate.name for gate in why.gates if not gate.passed] == ["health"]
        assert why.asset_id == "qwen3:14b"
        assert not why.terms


@pytest.mark.parametrize("explain", [False, True])
async def test_what_nobody_has_is_unknown_once_all_had_their_time(control, explain):
    await has(control, service("h1/s", "qwen3:14b"), roles=[role("qwen-mentor")])
    with pytest.raises(NotReady, match="waits for its hosts; similar: qwen3:14b"):
        await resolve(control, "qwen3:14", explain=explain)
    await settle(control)

    with pytest.raises(ModelNotFound, match="no model or role 'qwen3:14'; similar: qwen3:14b"):
        await resolve(control, "qwen3:14", explain=explain)
    with pytest.raises(ModelNotFound, match="similar: qwen-mentor"):
        await resolve(control, "qwen-mento", explain=explain)
    with pytest.raises(ModelNotFound) as raised:
        await resolve(control, "\x1b[2J\u202e", explain=explain)
    assert str(raised.value).isprintable()


async def test_an_explanation_tells_everything(control):
    seen = inventory.ServiceObservation(
        health=inventory.HEALTH_HEALTHY, queue_depth=3, tokens_per_second=44
    )
    await has(
        control,
        service("h1/s", "qwen3", loaded=True, observation=seen, concurrency=1),
        service("h2/s", "qwen3"),
        roles=[role("mentor", require_loaded=True)],
    )
    control.loads.tell("a gateway", {"h1/s": 2})
    answer = await resolve(control, "mentor", explain=True)
    first, second = answer.explanations

    assert services_of(answer) == ["h1/s"]
    assert (first.service_id, first.chosen, first.in_flight, first.queue_depth) == (
        *("h1/s", True),
        *(2, 3),
    )
    assert first.score == answer.candidates[0].candidate.score
    assert first.live_penalty > 0
    assert {term.name for term in first.terms} == {"text", "runtime", "benchmark", "family"}
    assert "44t/s" in next(term.detail for term in first.terms if term.name == "runtime")
    assert first.preferences
    assert all(gate.passed for gate in first.gates)
    assert [gate.name for gate in second.gates if not gate.passed] == ["require_loaded"]
    assert answer.table.version == control.routes.identity.version


async def test_an_explanation_tells_what_a_usual_request_would_take(control):
    await has(
        control,
        service("h1/s", "m", loaded=True, concurrency=1),
        service("h2/s", "m", loaded=True, concurrency=1),
    )
    answers = ((1, 50.0),)
    fast = Speed(1_000.0, answers, answer=100.0, samples=5)
    control.loads.speeds.tell("a gateway", [(("h1/s", "m"), fast)], lambda one: one)
    busy = {"h1/s": 1}
    control.loads.tell("a gateway", busy, pending={"h1/s": 250}, waiting={"h1/s": 2})
    answer = await resolve(control, "m", explain=True)
    h1, h2 = sorted(answer.explanations, key=lambda one: one.service_id)

    assert (h1.waiting, h2.waiting) == (2, 0)
    assert h1.expected.decode.ToMilliseconds() == 2_000
    assert h1.expected.slot.ToMilliseconds() == 3 * 2_000  # of one there, and two that wait
    assert h1.expected.pending.ToMilliseconds() == 250
    assert h2.expected.prefill.ToMilliseconds() == 520  # who is new is believed to be as fast
    assert h2.expected.cost < h1.expected.cost
    assert [gate.detail for gate in h1.gates if gate.name == "slot"] == [
        "1 of 1 busy; requests wait in gateways"
    ]


async def test_leads_are_told(control):
    services = [service("h1/s", "m", loaded=True), service("h2/s", "m", loaded=True)]
    await has(control, *services, roles=[role("mentor")])
    control.loads.tell("a gateway", {"h1/s": 2})
    answer = await resolve(control, "mentor", explain=True)

    assert answer.lead == pb.Lead(service_id="h2/s", over_service_id="h1/s", by=2)
    assert answer.would_change


@pytest.mark.parametrize("model", ["", "x" * 201])
@pytest.mark.parametrize("explain", [False, True])
async def test_resolving_an_empty_or_huge_name_is_invalid(control, model, explain):
    with pytest.raises(InvalidValue):
        await resolve(control, model, explain=explain)


async def test_an_operation_of_the_future_is_invalid(control):
    with pytest.raises(InvalidValue, match="operation 99"):
        await resolve(control, "m", 99)
    with pytest.raises(InvalidValue, match="operation 99"):
        await match(control, operation=99)


async def test_roles_and_services_are_matched(control):
    seen = inventory.ServiceObservation(
        health=inventory.HEALTH_HEALTHY,
        tokens_per_second=44,
        latency_p50={"nanos": 900_000_000},
        availability=inventory.AVAILABILITY_BUSY,
    )
    await has(
        control,
        service("h1/s", "qwen3", loaded=True, observation=seen),
        roles=[role("mentor", preferred_families=("qwen",)), role("idle", min_context=10**6)],
    )
    answer = await match(control, task=" explains ", tasks=["", "things"], workloads=["w"])
    by_name = {one.role_id or one.direct_service_id: one for one in answer.candidates}
    mentor = by_name["mentor"]

    assert (list(answer.tasks), list(answer.workloads)) == (["explains", "things"], ["w"])
    assert answer.candidates[0] == mentor
    assert set(by_name) == {"mentor", "idle", "h1/s"}
    assert (mentor.service_id, mentor.asset_id, mentor.operation) == ("h1/s", "qwen3", CHAT)
    assert mentor.signals.task_overlap == 1.0
    assert mentor.signals.preferred_family_match == 1.0
    assert mentor.signals.loaded
    assert mentor.signals.latency_p50.ToMilliseconds() == 900
    assert mentor.signals.tokens_per_second == 44
    assert mentor.signals.loaded_model_count == 1
    assert mentor.signals.availability == inventory.AVAILABILITY_BUSY
    assert not mentor.signals.HasField("benchmark_quality_score")
    assert mentor.reasons
    assert mentor.terms
    assert by_name["h1/s"].service_id == "h1/s"
    assert not by_name["h1/s"].signals.HasField("preferred_family_match")


async def test_a_role_that_nobody_serves_is_matched_by_its_words(control):
    await has(control, roles=[role("mentor")])
    (only,) = (await match(control, task="mentor")).candidates

    assert (only.role_id, only.service_id) == ("mentor", "")
    assert not only.signals.HasField("loaded")
    assert only.score > 0


async def test_a_role_is_matched_with_the_service_of_its_stand_in(control):
    roles = [role("first", min_context=10**6, stand_ins=("second",)), role("second")]
    held = service("h1/s", "m", loaded=True)
    held.assets[0].context_tokens = 4_096
    await has(control, held, roles=roles)
    found = {one.role_id: one.service_id for one in (await match(control)).candidates}

    assert found["first"] == "h1/s"


async def test_what_is_matched_can_be_narrowed(control):
    embeds = service("h2/s", "embed")
    embeds.assets[0].operations[:] = [EMBEDDINGS]
    await has(control, service("h1/s", "m"), embeds, roles=[role("mentor")])

    async def found(**asked):
        answer = await match(control, **asked)
        return {one.role_id or one.direct_service_id for one in answer.candidates}

    assert await found(operation=EMBEDDINGS) == {"h2/s"}
    assert await found(include_direct_services=False) == {"mentor"}
    assert await found(modality="audio") == {"h1/s", "h2/s"}
    assert len(await found(limit=1)) == 1
    assert len(await found(limit=2**31 - 1)) == 3
    # What is more would hold up whoever writes the answer.
    assert answer_messages.task(pb.MatchRoutesRequest(limit=2**31 - 1)).limit == 1_000


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"limit": 0}, "limit 0"),
        ({"limit": -1}, "limit -1"),
        ({"task": "x" * 1_000_000}, "more than 100,000 characters"),
        ({"tasks": ["x" * 50_000] * 3}, "more than 100,000 characters"),
        ({"modality": "x" * 100_001}, "more than 100,000 characters"),
        ({"tasks": ["x"] * 101}, "tasks holds more than 100"),
        ({"workloads": [""] * 101}, "workloads holds more than 100"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_task_out_of_bounds_is_invalid(control, asked, wrong):
    with pytest.raises(InvalidValue, match=wrong):
        await match(control, **asked)


async def test_control_characters_in_a_task_do_no_harm(control):
    await has(control, service("h1/s", "m"))
    answer = await match(control, task="\x00\x1b[2J\u202e m", limit=1)

    assert answer.candidates[0].direct_service_id == "h1/s"
