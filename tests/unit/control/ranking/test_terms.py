import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.inventory import Availability, Operation
from control.ranking.benchmarks import Evidence
from control.ranking.presets import LEGACY, PRESETS, SEED
from control.ranking.roles import Role, RoutingPolicy
from control.ranking.scoring import Asked, direct_score, role_score
from control.ranking.subject import Signals, Subject
from control.ranking.terms import (
    Term,
    age,
    direct_terms,
    duration,
    how_it_did,
    how_it_runs,
    role_terms,
)
from tests.unit.control.builders import asset, host, service
from tests.unit.control.ranking.trials import run, tried

QWEN = asset("qwen3-8b", loaded=True)
SUBJECT = Subject(host(), service("h1/s", QWEN), Signals(0.9, 44))
MENTOR = Role(
    "mentor",
    Operation.CHAT,
    routing=RoutingPolicy(preferred_families=("llama", "Qwen3"), guardrail_profile="forge_proxy"),
)
TRIED = tried(SUBJECT, run(), scoring=LEGACY, now=7_200.0)


def test_terms_of_a_role_tell_what_its_score_is_made_of():
    assert role_terms(MENTOR, TRIED, QWEN, LEGACY) == (
        Term("text", 0.25, 0.0, "no task"),
        Term("runtime", 0.25, 0.85, "loaded 900ms 44t/s"),
        Term("benchmark", 0.25, 0.3853, "1 run, fit 0.00, quality 0.86, 2h old"),
        Term("family", 0.12, 1.0, "Qwen3"),
        Term("guardrail", 0.13, 0.0, "no forge_proxy"),
    )


def test_what_a_preset_does_not_count_is_no_term():
    assert [term.name for term in role_terms(MENTOR, SUBJECT, QWEN, SEED)] == [
        "text",
        "runtime",
        "benchmark",
        "family",
    ]


def test_terms_of_a_service_know_the_task_and_what_waits():
    assert direct_terms(SUBJECT, QWEN, SEED, asked=Asked(0.25, None, 3)) == (
        Term("text", 0.2, 0.25, "25% of the words"),
        Term("runtime", 0.45, 0.65, "loaded 900ms 44t/s q3"),
        Term("benchmark", 0.35, 0.0, "no runs"),
    )


@pytest.mark.parametrize(
    ("families", "detail"), [((), "none preferred"), (("llama", "gemma"), "none of llama, gemma")]
)
def test_a_family_that_does_not_fit_says_what_would(families, detail):
    role = Role("r", Operation.CHAT, routing=RoutingPolicy(preferred_families=families))

    assert role_terms(role, SUBJECT, QWEN, SEED)[-1] == Term("family", 0.15, 0.0, detail)


def test_a_role_without_a_profile_wants_no_guardrails():
    role = Role("r", Operation.CHAT)

    assert role_terms(role, SUBJECT, QWEN, LEGACY)[-1].detail == "none wanted"


@pytest.mark.parametrize(
    ("signals", "loaded", "queue", "words"),
    [
        (Signals(0.9, 44.4), True, 0, "loaded 900ms 44t/s"),
        (Signals(1.84), False, 2, "not loaded 1.8s q2"),
        (Signals(float("nan"), -1), True, -1, "loaded"),
        (Signals(availability=Availability.BUSY), True, 0, "loaded busy"),
    ],
)
def test_how_a_service_runs_is_told_shortly(signals, loaded, queue, words):
    assert how_it_runs(signals, loaded, queue) == words


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Evidence(), "no runs"),
        (Evidence(replaced=3), "no runs; 3 of other weights"),
        (Evidence(1, 0.5, 0.856, 0.7, 4.0), "1 run, fit 0.50, quality 0.86, 4s old"),
        (
            Evidence(2, 0.5, 0.856, 0.7, 260_000.0, 1),
            "2 runs, fit 0.50, quality 0.86, 3d old; 1 of other weights",
        ),
    ],
)
def test_runs_are_told_with_their_age_and_those_that_do_not_count(found, words):
    assert how_it_did(found) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (59.4, "59s"), (60, "1m"), (7_199, "2h"), (86_400, "1d"), (4e7, "463d")],
)
def test_ages(seconds, words):
    assert age(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0ms"), (0.0415, "42ms"), (0.9996, "1.0s"), (12.34, "12.3s")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@given(
    st.builds(Signals, st.none() | st.floats(), st.none() | st.floats()),
    st.sampled_from(list(PRESETS.values())),
    st.booleans(),
)
def test_terms_sum_to_the_score(signals, scoring, loaded):
    subject = tried(Subject(SUBJECT.host, SUBJECT.service, signals), run(), scoring=scoring)
    one = asset("qwen3-8b", loaded=loaded)

    def summed(terms):
        return pytest.approx(sum(term.weight * term.value for term in terms), abs=1.1e-4)

    assert role_score(MENTOR, subject, one, scoring).total == summed(
        role_terms(MENTOR, subject, one, scoring)
    )
    assert direct_score(subject, one, scoring).total == summed(direct_terms(subject, one, scoring))
