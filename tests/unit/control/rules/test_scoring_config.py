import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from control.api.document import parse
from control.api.settings import SettingsError, validate
from control.config import Config
from control.ranking.presets import LEGACY, SEED, Bands, Runs, Weights, below
from control.ranking.scoring import Marks, runtime, weigh
from control.ranking.subject import Signals
from control.rules.scoring_config import Scoring

REFERENCE = Path(__file__).parents[4] / "configs/control.yaml"


TOO_MANY = ", ".join(f"{{at_least: {n + 1}, value: 0}}" for n in range(21))


def load(text):
    document, lines = parse(text.encode())
    return validate(document, lines, Scoring, name="control.yaml")[0].made


def test_nothing_set_is_the_preset():
    assert load("") == SEED
    assert load("preset: seed") == SEED
    assert load("preset: legacy") == LEGACY


def test_the_numbers_in_the_configuration_reference_are_those_of_seed():
    """They stand there in comments, so that nothing is set by who copies the file."""
    text = REFERENCE.read_text()
    block = text[text.index("  #   role: {") : text.index("  scoring:\n")]
    lines = (re.sub(r"^ *#   ?", "", line) for line in block.splitlines())
    written = "\n".join(line for line in lines if re.match(r" *[a-z_]+:( |$)", line))
    scoring = Scoring.model_validate(yaml.safe_load(written))

    assert scoring.made == SEED
    assert set(Scoring.model_fields) - scoring.model_fields_set == {"preset"}
    for section in (scoring.role, scoring.service, scoring.runtime, scoring.benchmark):
        assert set(type(section).model_fields) == section.model_fields_set


def test_each_weight_can_be_set():
    made = load(
        "role: {text: 0.1, runtime: 0.2, benchmark: 0.3, family: 0.15, guardrail: 0.25}\n"
        "service: {text: 0, runtime: 1, benchmark: 0}\n"
    )

    assert made.role == Weights(0.1, 0.2, 0.3, 0.15, 0.25)
    assert made.service == Weights(0, 1, 0)


def test_each_band_can_be_set():
    made = load("""
preset: legacy
runtime:
  loaded: 0.4
  latency_ms: [{below: 100, value: 0.5}, {up_to: 200, value: 0.4}]
  slower: 0.3
  tokens_per_second: [{at_least: 5, value: 0.1}]
  queue: [{at_least: 3, value: 0.2}]
  busy: 0
benchmark:
  overlap: 0.2
  quality: 0.8
  correctness: 0.5
  speed: 0.5
  prior: 0.4
  speed_alone: false
  full_speed: 100
  first_token_ms: [{up_to: 50, value: 0.9}]
  slower: 0
  half_life_s: 86400
  runs: newest
ascii_words: false
""")

    assert made.runtime.latency == Bands((below(100), 200), (0.5, 0.4, 0.3))
    assert made.runtime.throughput == Bands((below(5),), (0, 0.1))
    assert (made.runtime.loaded, made.runtime.busy) == (0.4, 0)
    assert made.runtime.queue == ((3, 0.2),)
    benchmark = made.benchmark
    assert (benchmark.overlap, benchmark.quality) == (0.2, 0.8)
    assert (benchmark.correctness, benchmark.speed, benchmark.prior) == (0.5, 0.5, 0.4)
    assert (benchmark.speed_alone, benchmark.full_speed) == (False, 100)
    assert benchmark.first_token == Bands((50,), (0.9, 0))
    assert (benchmark.half_life, benchmark.runs) == (86_400, Runs.NEWEST)
    assert not made.ascii_words


def test_what_is_beyond_the_last_band_can_be_set_alone():
    made = load("runtime: {slower: 0}\nbenchmark: {slower: 0.1}")

    assert made.runtime.latency == Bands(SEED.runtime.latency.edges, (0.3, 0.2, 0.1, 0))
    assert made.benchmark.first_token.values == (1.0, 0.8, 0.5, 0.1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("preset: sed", "preset: input should be 'seed' or 'legacy'"),
        ("role: {txt: 0.3}", "unknown key role.txt; nearest: text"),
        ("service: {family: 0.2}", "unknown key service.family"),
        ("role: {text: 0.5}", "role: text 0.5 + runtime 0.3 + benchmark 0.25 + family 0.15 is 1.2"),
        ("service: {text: 0.1}", "service: text 0.1 + runtime 0.45 + benchmark 0.35 is 0.9 and"),
        ("benchmark: {quality: 1}", "benchmark: overlap 0.45 + quality 1 is 1.45 and must be 1"),
        ("benchmark: {speed: 0}", "benchmark: correctness 0.65 is 0.65 and must be 1"),
        ("role: {text: .nan}", "role.text: input should be a finite number"),
        ("runtime: {busy: .inf}", "runtime.busy: input should be a finite number"),
        ("runtime: {loaded: -0.1}", "runtime.loaded: input should be greater than or equal to 0"),
        ("runtime: {loaded: 1.1}", "runtime.loaded: input should be less than or equal to 1"),
        ("runtime: {loaded: yes}", "runtime.loaded: yes, no, on, off, true and false are no"),
        ("runtime: {loaded: much}", "runtime.loaded: input should be a valid number"),
        ("runtime: 5", "runtime: a mapping of keys is expected"),
        ("runtime: {latency_ms: 500}", "runtime.latency_ms: a list is expected"),
        ("runtime: {latency_ms: [{value: 0.1}]}", "latency_ms[0]: one of below and up_to"),
        (
            "runtime: {latency_ms: [{below: 1, up_to: 2, value: 0.1}]}",
            "latency_ms[0]: one of below and up_to",
        ),
        (
            "runtime: {latency_ms: [{below: 900, value: 0.2}, {below: 500, value: 0.1}]}",
            "runtime.latency_ms: bands are out of order",
        ),
        (
            "runtime: {latency_ms: [{up_to: 500, value: 0.2}, {up_to: 500, value: 0.1}]}",
            "runtime.latency_ms: bands are out of order",
        ),
        (
            "runtime: {latency_ms: [{below: 500, value: 0.1}, {below: 900, value: 0.2}]}",
            "runtime.latency_ms: slower is never worth more",
        ),
        ("runtime: {slower: 0.5}", "runtime.slower: slower is never worth more: 0.5"),
        ("benchmark: {slower: 0.6}", "benchmark.slower: slower is never worth more: 0.6"),
        (
            "runtime: {tokens_per_second: [{at_least: 5, value: 1}, {at_least: 9, value: 0.5}]}",
            "runtime.tokens_per_second: more is never worth less",
        ),
        (
            "runtime: {queue: [{at_least: 5, value: 0.2}, {at_least: 2, value: 0.1}]}",
            "runtime.queue: bands are out of order",
        ),
        ("runtime: {queue: [{at_least: 0, value: 0.2}]}", "queue[0].at_least: input should be"),
        ("runtime: {queue: [{at_least: 2.5, value: 0.2}]}", "queue[0].at_least: input should be"),
        ("benchmark: {full_speed: 0}", "benchmark.full_speed: input should be greater than 0"),
        ("benchmark: {runs: mean}", "benchmark.runs: input should be 'newest' or 'best'"),
        ("benchmark: {half_life_s: 1}", "benchmark.half_life_s: input should be greater than"),
        ("benchmark: {speed_alone: 7}", "benchmark.speed_alone: input should be a valid boolean"),
        (
            f"runtime: {{queue: [{TOO_MANY}]}}",
            "runtime.queue: tuple should have at most 20 items",
        ),
    ],
)
def test_what_makes_no_score_is_refused_by_name(text, said):
    with pytest.raises(SettingsError) as refused:
        load(text)

    assert said in str(refused.value)


def test_a_refusal_names_file_line_and_section():
    document, lines = parse(b"routing:\n  scoring:\n    role: {text: 0.5}\n")
    with pytest.raises(SettingsError, match=r"control.yaml:2: routing.scoring: role: text 0.5"):
        validate(document, lines, Config, name="control.yaml")


SHARES = st.none() | st.floats(0, 1)
TIMES = st.lists(
    st.fixed_dictionaries({"up_to": st.floats(1, 5_000), "value": st.floats(0, 1)}), max_size=3
)
SPEEDS = st.lists(
    st.fixed_dictionaries({"at_least": st.floats(1, 100), "value": st.floats(0, 1)}), max_size=3
)
STEPS = st.lists(
    st.fixed_dictionaries({"at_least": st.integers(1, 9), "value": st.floats(0, 1)}), max_size=3
)


def ordered(bands, falling=False):
    """Bands with the same edges and values, in the order that they must have."""
    name = next(iter(bands[0])) if bands else ""
    edges = sorted({band[name] for band in bands})
    values = sorted((band["value"] for band in bands[: len(edges)]), reverse=falling)
    return [{name: edge, "value": value} for edge, value in zip(edges, values, strict=True)]


@given(
    st.fixed_dictionaries(
        {
            "preset": st.sampled_from(["seed", "legacy"]),
            "runtime": st.fixed_dictionaries(
                {
                    "loaded": SHARES,
                    "latency_ms": st.none() | TIMES.map(lambda it: ordered(it, falling=True)),
                    "slower": st.none() | st.just(0),
                    "tokens_per_second": st.none() | SPEEDS.map(ordered),
                    "queue": st.none() | STEPS.map(ordered),
                    "busy": SHARES,
                }
            ),
            "role": st.just({})
            | st.just({"text": 0.1, "runtime": 0.7, "benchmark": 0.0})
            | st.fixed_dictionaries({"text": st.floats(), "runtime": st.floats()}),
        }
    ),
    st.builds(Signals, st.none() | st.floats(), st.none() | st.floats()),
    st.integers(0, 10),
)
def test_whatever_loads_makes_scores_within_0_and_1(written, seen, queue):
    try:
        made = Scoring.model_validate(written).made
    except ValidationError:
        return
    value = runtime(seen, True, queue, made)
    total, part = weigh(made.role, Marks(1.0, value, family="qwen", guardrail=True))

    assert 0 <= value <= 1
    assert 0 <= part <= total <= 1
    # Live scores have 6 digits.
    assert runtime(seen, True, queue + 1, made) <= value + 1e-6
