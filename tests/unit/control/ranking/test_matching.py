import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.inventory import Availability, Operation, RequestPolicy
from control.ranking.matching import NOBODY, Serving, Task, listed, match
from control.ranking.presets import LEGACY, PRESETS, SEED
from control.ranking.roles import Role, RoutingPolicy
from control.ranking.subject import Signals, Subject
from tests.unit.control.builders import asset, host, service
from tests.unit.control.ranking.trials import run, tried

CHAT, EMBEDDINGS = Operation.CHAT, Operation.EMBEDDINGS
QWEN = asset("qwen", loaded=True, digest="d1")
SUBJECT = Subject(host("h1"), service("h1/chat", QWEN), Signals(0.9, 40))
SERVING = Serving(SUBJECT, QWEN, waiting=1)
TRIED = Serving(tried(SUBJECT, run()), QWEN, waiting=1)
TRIED_BY_LEGACY = Serving(tried(SUBJECT, run(), scoring=LEGACY), QWEN, waiting=1)
SHORT = Task(("short reasoning",), ("chat.short_reasoning",))


def role(role_id="plain", description="", operation=CHAT, **fields):
    return Role(role_id, operation, description=description, **fields)


def preferring(*families, **fields):
    return role(routing=RoutingPolicy(preferred_families=families), **fields)


def scores(matches):
    return {
        one.role.role_id if one.role else one.serving.subject.service.service_id: one.score
        for one in matches
    }


def test_legacy_scores_are_what_they_were():
    """One service with a sample; a role that fits it, and one that does not."""
    thinker = preferring("Qwen", role_id="thinker", description="reasoning")
    serving = TRIED_BY_LEGACY
    matches = match(SHORT, [(thinker, serving), (role(), serving)], [(CHAT, serving)], LEGACY)

    assert scores(matches) == {"h1/chat": 0.6964, "thinker": 0.6838, "plain": 0.4388}


def test_legacy_scores_without_benchmarks_are_what_they_were():
    task = Task(("alpha beta gamma delta chat",))
    fits = preferring("qwen", description="alpha, beta, gamma and delta")

    # Of five words the role has four, the service one.
    found = match(task, [(fits, SERVING)], [(CHAT, SERVING)], LEGACY)
    assert scores(found) == {"plain": 0.525, "h1/chat": 0.409}


def test_seed_scores():
    thinker = preferring("Qwen", role_id="thinker", description="reasoning")
    found = match(SHORT, [(thinker, TRIED)], [(CHAT, TRIED)], SEED)

    # Runtime: 0.35 + 0.20 + 0.20, and one that waits costs nothing: 0.75.
    # Quality: 0.65 x 0.9 + 0.35 x (30/40 + 0.8) / 2 = 0.85625; benchmark: 0.45 + 0.55 of it.
    benchmark = 0.45 + 0.55 * 0.85625
    assert scores(found) == {
        "thinker": round(0.30 * 0.5 + 0.30 * 0.75 + 0.25 * benchmark + 0.15, 4),
        "h1/chat": round(0.45 * 0.75 + 0.35 * benchmark, 4),
    }


def test_a_role_that_nobody_serves_is_judged_by_its_words():
    lonely = role("lonely", "short answers")
    (found,) = match(SHORT, [(lonely, None)], [], SEED)

    assert (found.score, found.serving) == (0.15, None)
    assert found.reasons == ("has 50% of the task's words", NOBODY)
    assert found.signals.loaded is found.signals.availability is found.signals.queue_depth is None
    assert (found.signals.task_overlap, found.signals.preferred_family) == (0.5, False)


def test_signals_tell_what_is_known():
    guarded = role(
        routing=RoutingPolicy(preferred_families=("qwen",), guardrail_profile="native_light")
    )
    serving = Serving(tried(SUBJECT, run(), run("poems"), run(digest="d0"), now=60.0), QWEN, 1)
    of_service, of_role = match(SHORT, [(guarded, serving)], [(CHAT, serving)], SEED)
    signals = of_role.signals

    assert (signals.preferred_family, signals.guardrail_profile) == (True, True)
    assert (signals.loaded, signals.latency_p50, signals.tokens_per_second) == (True, 0.9, 40)
    assert (signals.queue_depth, signals.loaded_model_count) == (1, 1)
    assert signals.availability is Availability.AVAILABLE
    assert (signals.evidence.count, signals.evidence.overlap) == (1, 1)
    assert signals.evidence.quality == pytest.approx(0.85625)
    assert (signals.evidence.age, signals.evidence.replaced) == (60.0, 1)
    assert of_service.signals.preferred_family is of_service.signals.guardrail_profile is None


def test_what_cannot_have_been_measured_is_no_signal():
    strange = replace(SUBJECT, signals=Signals(float("nan"), -1.0))
    (found,) = match(SHORT, [], [(CHAT, Serving(strange, QWEN))], SEED)

    assert found.signals.latency_p50 is found.signals.tokens_per_second is None


def test_reasons_stand_in_the_order_of_their_weight():
    busy = replace(TRIED.subject, signals=Signals(0.9, 40, Availability.BUSY), now=7_200.0)
    fits = preferring("Qwen", description="reasoning")
    (found,) = match(SHORT, [(fits, Serving(busy, QWEN, waiting=2))], [], SEED)

    assert found.reasons == (
        "did well in workloads that fit 100% (quality 0.86, 2h ago)",  # 0.25 x 0.92
        "has 50% of the task's words",  # 0.30 x 0.50, as much as the next
        "is served by a preferred family: Qwen",  # 0.15
        "its model is in memory",  # 0.30 x 0.35
        "answers in 900ms",  # 0.30 x 0.20
        "writes 40 tokens a second",
        "but 2 requests wait there",  # 0.30 x 0.10
        "but its owner is using it",
    )


def test_a_poor_sample_is_a_reason_without_praise():
    poor = Serving(tried(SUBJECT, run(results={"pass_rate": 0.1})), QWEN)
    (found,) = match(SHORT, [], [(CHAT, poor)], SEED)

    assert "was measured by workloads that fit 100% (quality 0.24, 0s ago)" in found.reasons


def test_the_words_of_a_role_are_its_names_prompt_and_policy():
    told = Role(
        "alpha",
        CHAT,
        "Beta",
        "gamma",
        request_policy=RequestPolicy(system_prompt="delta"),
        routing=RoutingPolicy(
            preferred_families=("epsilon",),
            preferred_labels=("zeta",),
            allowed_trust_tiers=("eta",),
            allowed_device_classes=("theta",),
            allowed_workload_classes=("iota",),
            agentic_benchmark_workloads=("kappa",),
            guardrail_profile="forge_proxy",
        ),
    )
    names = "alpha beta gamma delta epsilon zeta eta theta iota kappa forge proxy"
    (found,) = match(Task((names,)), [(told, None)], [], SEED)

    assert found.signals.task_overlap == 1


def test_the_words_of_a_service_are_its_host_engine_and_models():
    told = Subject(
        host("alpha", trust_tier="beta", device_class="gamma", workload_classes=("delta",)),
        service(
            "alpha/epsilon",
            asset("zeta", family="eta", labels=("theta",)),
            asset("not-this", (EMBEDDINGS,)),
            engine="iota",
        ),
    )
    (found,) = match(
        Task(("alpha beta gamma delta epsilon zeta eta theta iota not this",)),
        [],
        [(CHAT, Serving(told, told.service.assets[0]))],
        SEED,
    )

    assert found.signals.task_overlap == pytest.approx(9 / 11)


@pytest.mark.parametrize(
    ("of", "names"),
    [
        ({}, {"writer", "embedder", "h1/chat", "h1/embed"}),
        ({"operation": CHAT}, {"writer", "h1/chat"}),
        ({"modality": "vector"}, {"embedder", "h1/chat", "h1/embed"}),
        ({"operation": CHAT, "modality": "vector"}, {"h1/chat"}),
        ({"services": False}, {"writer", "embedder"}),
        ({"limit": 1}, {"writer"}),
        ({"limit": 10**9}, {"writer", "embedder", "h1/chat", "h1/embed"}),
    ],
    ids=["all", "operation", "modality", "both", "roles only", "one", "more than there are"],
)
def test_operation_filters_all_and_modality_roles_only(of, names):
    writer = role("writer", "text", modality="text")
    embedder = role("embedder", operation=EMBEDDINGS, modality="vector")
    other = Subject(host("h1"), service("h1/embed", asset("e5", (EMBEDDINGS,))))
    found = match(
        Task(("text",), **of),
        [(embedder, None), (writer, SERVING)],
        [(CHAT, SERVING), (EMBEDDINGS, Serving(other, other.service.assets[0]))],
        SEED,
    )

    assert scores(found).keys() == names


def test_of_equals_roles_come_before_services_and_then_the_smaller_id():
    cold = Subject(host("h1"), service("h1/a"))
    also = Subject(host("h1"), service("h1/b"))
    roles = [(role("z"), None), (role("y"), None)]
    services = [(CHAT, Serving(one, one.service.assets[0])) for one in (also, cold)]

    assert list(scores(match(Task(), roles, services, SEED))) == ["y", "z", "h1/a", "h1/b"]


def test_single_values_come_first_and_blanks_are_dropped():
    assert listed(" one ", ["", "two", " \n", "three "]) == ("one", "two", "three")
    assert listed("", []) == ()


def test_without_a_task_what_runs_well_comes_first():
    cold = Serving(Subject(host("h1"), service("h1/cold")), asset())
    found = match(Task(), [], [(CHAT, cold), (CHAT, TRIED)], SEED)

    assert list(scores(found)) == ["h1/chat", "h1/cold"]
    assert found[0].terms[0].detail == "no task"
    assert found[0].signals.evidence.count == 1


def test_a_task_of_a_megabyte_is_matched():
    words = [f"w{n}" for n in range(130_000)]
    (found,) = match(Task((" ".join(words),)), [(role("w7", "w8"), None)], [], SEED)

    assert found.signals.task_overlap == pytest.approx(2 / 130_000)


NAMES = ["qwen coder", "short", "reasoning", ""]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(NAMES), st.booleans()), max_size=6
    ),
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.none() | st.floats(), st.booleans()), max_size=6
    ),
    st.lists(st.sampled_from(NAMES), max_size=2),
    st.sampled_from(list(PRESETS.values())),
    st.integers(1, 20),
    st.integers(),
)
def test_matches_do_not_depend_on_the_order_of_anything(roles, services, texts, scoring, limit, n):
    serving = [
        (CHAT, Serving(Subject(host("h"), service(f"h/{name}"), Signals(signal)), asset(), loaded))
        for name, signal, loaded in {one[0]: one for one in services}.values()
    ]
    offered = [
        (role(name, text), TRIED if served else None)
        for name, text, served in {one[0]: one for one in roles}.values()
    ]
    task = Task(listed("", texts), limit=limit)
    found = match(task, offered, serving, scoring)
    shuffle = random.Random(n).shuffle
    shuffle(offered)
    shuffle(serving)
    shuffle(texts)
    task = replace(task, texts=listed("", texts))

    assert match(task, offered, serving, scoring) == found
    assert len(found) == min(limit, len(offered) + len(serving))
    assert all(0 <= one.score <= 1 for one in found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        summed = sum(term.weight * term.value for term in one.terms)
        assert one.score == pytest.approx(summed, abs=1.1e-4)
