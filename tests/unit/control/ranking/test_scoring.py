from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.strategies import live_score
from control.inventory import Availability, Operation
from control.ranking.presets import LEGACY, PRESETS, SEED, Bands, Weights, below
from control.ranking.roles import Role, RoutingPolicy
from control.ranking.scoring import (
    Asked,
    Marks,
    direct_score,
    queue_steps,
    role_marks,
    role_score,
    runtime,
    weigh,
)
from control.ranking.subject import Signals, Subject
from tests.unit.control.builders import asset, host, service
from tests.unit.control.ranking.trials import run, tried

BUSY = Availability.BUSY
QWEN = asset("org/qwen3-8b", loaded=True)
SIGNALS = Signals(latency_p50=0.9, tokens_per_second=44)
SUBJECT = Subject(host(), service("h1/s", QWEN, engine="forge"), SIGNALS)

MEASURED = st.none() | st.floats() | st.floats(0, 10)
SIGNALS_OF_ANY_KIND = st.builds(Signals, MEASURED, MEASURED, st.sampled_from(Availability))
SCORINGS = st.sampled_from(list(PRESETS.values()))


def signals(latency_ms=None, speed=None, availability=Availability.AVAILABLE):
    return Signals(None if latency_ms is None else latency_ms / 1_000, speed, availability)


def role(**policy):
    return Role("mentor", Operation.CHAT, routing=RoutingPolicy(**policy))


@pytest.mark.parametrize(
    ("loaded", "seen", "queue", "value"),
    [
        (True, signals(1_500, 20), 0, 0.85),
        (True, signals(1_501, 19.9), 1, 0.60),
        (True, signals(4_000, 8), 5, 0.48),
        (True, signals(4_001, 7.9), 6, 0.25),
        (False, signals(), 0, 0),
        (True, signals(1, 100, BUSY), 0, 0.75),
        (False, signals(9_999), 0, 0.05),
    ],
)
def test_runtime_by_legacy_is_what_it_was(loaded, seen, queue, value):
    assert runtime(seen, loaded, queue, LEGACY) == pytest.approx(value)


@pytest.mark.parametrize(
    ("loaded", "seen", "queue", "value"),
    [
        (True, signals(499, 40), 0, 0.35 + 0.30 + 0.20),
        (True, signals(500, 39.9), 0, 0.35 + 0.20 + 0.10),
        (True, signals(1_499, 20), 1, 0.35 + 0.20 + 0.10),
        (True, signals(1_500, 19.9), 2, 0.35 + 0.10 + 0 - 0.10),
        (True, signals(2_999), 4, 0.35 + 0.10 - 0.10),
        (True, signals(3_000), 5, 0.35 + 0.05 - 0.20),
        (True, signals(), 10**9, 0.35 - 0.20),
        (True, signals(0, 0), 0, 0.35 + 0.30),
        (False, signals(100, 100), 0, 0.30 + 0.20),
        (False, signals(9_999), 5, 0),  # 0.05 - 0.20 is less than nothing
        (False, signals(), 0, 0),
        (True, signals(499, 40, BUSY), 0, 0.85 - 0.10),
        (False, signals(None, None, BUSY), 0, 0),
    ],
)
def test_runtime_by_seed(loaded, seen, queue, value):
    assert runtime(seen, loaded, queue, SEED) == pytest.approx(value)


@pytest.mark.parametrize("impossible", [nan, inf, -inf, -1.0])
def test_what_cannot_have_been_measured_is_unknown(impossible):
    for scoring in PRESETS.values():
        unknown = runtime(Signals(), True, 0, scoring)

        assert runtime(Signals(impossible, impossible), True, 0, scoring) == unknown
        assert runtime(Signals(), True, -1, scoring) == unknown


def test_a_role_scores_runtime_family_and_no_text():
    # 0.30 x (0.35 + 0.20 + 0.20) + 0.15 for the family
    assert role_score(role(preferred_families=("Llama", "Qwen3")), SUBJECT, QWEN, SEED) == (
        0.375,
        0.225,
    )
    assert role_score(role(preferred_families=("llama",)), SUBJECT, QWEN, SEED).total == 0.225


def test_guardrails_count_by_legacy_only():
    # 0.25 x 0.85 + 0.13
    guarded = role(guardrail_profile="forge_proxy")

    assert role_score(guarded, SUBJECT, QWEN, LEGACY).total == 0.3425
    assert role_score(guarded, SUBJECT, QWEN, SEED).total == 0.225
    assert role_marks(guarded, SUBJECT, QWEN, SEED).guardrail


def test_a_service_scores_runtime():
    # 0.45 x (0.35 + 0.20 + 0.20)
    assert direct_score(SUBJECT, QWEN, SEED) == (0.3375, 0.3375)


def test_samples_are_asked_for_the_workloads_of_the_role():
    subject = tried(SUBJECT, run(), scoring=LEGACY)
    named = role(agentic_benchmark_workloads=("chat.short_reasoning",))

    # 0.25 x 0.85 + 0.25 x (0.55 x 1 + 0.45 x 0.85625)
    assert role_score(named, subject, QWEN, LEGACY).total == 0.4463
    # 0.25 x 0.85 + 0.25 x (0.45 x 0.85625): it is known to be good, at nothing special
    assert role_score(role(), subject, QWEN, LEGACY).total == 0.3088
    other = role(agentic_benchmark_workloads=("agentic.tools",))
    assert role_score(other, subject, QWEN, LEGACY).total == 0.2125
    # 0.45 x 0.85 + 0.35 x (0.45 x 0.85625)
    assert direct_score(subject, QWEN, LEGACY).total == 0.5174


def test_all_there_is_makes_1():
    everything = role_marks(role(), SUBJECT, QWEN, SEED)._replace(
        text=1.0, runtime=1.0, family="qwen3", guardrail=True
    )
    full = replace(everything.evidence, value=1.0)
    for scoring in PRESETS.values():
        assert weigh(scoring.role, everything._replace(evidence=full)).total == 1


@pytest.mark.parametrize(
    ("scoring", "weight", "steps"),
    [
        (SEED, 0.30, ((2, 0.03), (5, 0.06))),
        (SEED, 0.45, ((2, 0.045), (5, 0.09))),
        (LEGACY, 0.25, ((1, 0.0075), (2, 0.015), (3, 0.0225), (4, 0.03), (5, 0.0375))),
        (SEED, 0.0, ((2, 0), (5, 0))),
    ],
)
def test_queue_steps_are_weighted(scoring, weight, steps):
    assert queue_steps(scoring, weight) == steps


@given(SIGNALS_OF_ANY_KIND, st.booleans(), st.integers(0, 20), SCORINGS)
def test_what_gateways_subtract_is_what_waiting_costs(seen, loaded, queue, scoring):
    """The static score less the live penalty is the score with the queue in it."""
    weights = scoring.role
    static = weigh(weights, Marks(runtime=runtime(seen, loaded, 0, scoring)))
    whole = weigh(weights, Marks(runtime=runtime(seen, loaded, queue, scoring)))
    live = live_score(static.total, static.runtime, queue, queue_steps(scoring, weights.runtime))

    assert live == pytest.approx(whole.total, abs=2e-4)
    assert live >= 0


@given(SIGNALS_OF_ANY_KIND, st.booleans(), st.integers(), SCORINGS)
def test_scores_are_within_0_and_1(seen, loaded, queue, scoring):
    of = replace(SUBJECT, signals=seen)
    one = asset("qwen3", loaded=loaded)
    asked = Asked(1.0, None, queue)
    wanted = role(preferred_families=("qwen",), guardrail_profile="native_light")
    total, part = weigh(scoring.role, role_marks(wanted, of, one, scoring, asked=asked))

    assert 0 <= part <= total <= 1
    assert 0 <= direct_score(of, one, scoring).total <= 1


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 100), st.floats(0, 100), SCORINGS)
def test_faster_is_never_worse(one, other, slow, fast, scoring):
    quick, late = sorted((one, other))
    slow, fast = sorted((slow, fast))

    def value(latency, speed, loaded=False, queue=0):
        return runtime(Signals(latency, speed), loaded, queue, scoring)

    assert value(quick, slow) >= value(late, slow)
    assert value(quick, fast) >= value(quick, slow)
    assert value(one, fast, loaded=True) >= value(one, fast)
    for queue in range(8):
        # Live scores have 6 digits.
        assert value(one, fast, queue=queue + 1) <= value(one, fast, queue=queue) + 1e-6
    assert value(None, None) <= value(late, slow)


def test_bands_end_at_their_edges():
    bands = Bands((below(500), 1_500), (0.3, 0.2, 0.1))

    assert [bands.worth(ms) for ms in (499.9, 500, 1_500, 1_500.1)] == [0.3, 0.2, 0.2, 0.1]


@pytest.mark.parametrize("scoring", PRESETS.values(), ids=PRESETS)
def test_weights_of_presets_sum_to_1(scoring):
    def total(weights: Weights):
        return sum(getattr(weights, name) for name in Weights.__slots__)

    assert total(scoring.role) == pytest.approx(1)
    assert total(scoring.service) == pytest.approx(1)
    assert hash(scoring) == hash(replace(scoring))
