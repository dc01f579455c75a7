from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.errors import InvalidValue
from control.benchmarks.admission import EARLIEST, admitted, content_id
from control.benchmarks.samples import Sample
from control.ranking.quality import CORRECTNESS

NOW = 1_800_000_000.0
GOOD = Sample("b1", "h/s", "m", "chat.a", NOW, {"pass_rate": 0.5}, "d")


def refused(*samples):
    with pytest.raises(InvalidValue) as caught:
        admitted(samples, NOW)
    return str(caught.value)


def test_a_sound_sample_is_taken_as_it_is():
    assert admitted([GOOD], NOW) == [GOOD]


@pytest.mark.parametrize("field", ["service_id", "workload"])
def test_names_that_must_be_there(field):
    assert refused(replace(GOOD, **{field: ""})) == (
        f"samples[0].{field}: is missing; 1 to 200 characters are expected"
    )


@pytest.mark.parametrize("field", ["benchmark_id", "service_id", "asset_id", "workload"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("w" * 1_000_000, "has 1,000,000 characters; at most 200 are expected"),
        ("a\nb", "holds the control character U+000A"),
        ("a\u202eb", "holds the control character U+202E"),
        (" a", "' a' has space around it"),
    ],
    ids=["megabyte", "newline", "direction", "space"],
)
def test_names_that_are_refused(field, name, why):
    told = refused(GOOD, replace(GOOD, **{field: name}))

    assert told.startswith(f"samples[1].{field}: ")
    assert told.endswith(why)
    assert len(told) < 200


@pytest.mark.parametrize(
    ("observed_at", "why"),
    [
        (NOW + 301, "is 301 s in the future; at most 300 are expected"),
        (NOW * 1_000, "1800000000000 looks like milliseconds; seconds since 1970 expected"),
        (EARLIEST - 1, "946684799 is before the year 2000; seconds since 1970 expected"),
        (-1.0, "-1 is before the year 2000; seconds since 1970 expected"),
        (nan, "nan is before the year 2000; seconds since 1970 expected"),
    ],
)
def test_times_that_are_refused(observed_at, why):
    assert refused(replace(GOOD, observed_at=observed_at)) == f"samples[0].observed_time: {why}"


@pytest.mark.parametrize("observed_at", [EARLIEST, NOW + 300])
def test_times_at_the_edge_are_taken(observed_at):
    assert admitted([replace(GOOD, observed_at=observed_at)], NOW)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("ttft_ms", nan, "holds a number that is not finite"),
        ("ttft_ms", -1.0, "-1 is below 0"),
        ("tokens_per_sec", inf, "holds a number that is not finite"),
        ("tokens_per_sec", "fast", "a text is there; a number is expected, or null"),
        ("p50_latency_ms", True, "a boolean is there; a number is expected, or null"),
        ("prompt_tokens", [1], "a list is there; a number is expected, or null"),
        ("case_count", {"n": 1}, "an object is there; a number is expected, or null"),
        ("pass_rate", 1.5, "1.5 is not 0 to 1"),
        ("pass_rate", -0.5, "-0.5 is below 0"),
        ("quality_score", "1.0", "a text is there; a number is expected, or null"),
        ("notes", {"deep": [1.0, {"deeper": -inf}]}, "holds a number that is not finite"),
    ],
)
def test_results_that_are_refused(name, value, why):
    bad = replace(GOOD, benchmark_id="b2", results={"pass_rate": 1.0, name: value})

    assert refused(GOOD, bad) == f"samples[1].results.{name}: {why}"


@pytest.mark.parametrize("name", [*CORRECTNESS, "ttft_ms", "tokens_per_sec", "x_count"])
@pytest.mark.parametrize("value", [None, 0, 1, 1.0])
def test_results_that_are_numbers_or_unknown_are_taken(name, value):
    assert admitted([replace(GOOD, results={name: value})], NOW)


def test_results_of_other_names_may_be_anything():
    assert admitted([replace(GOOD, results={"source": "me", "ok": True, "delta": -3})], NOW)


def test_names_of_results_are_shown_as_they_can_be():
    told = refused(replace(GOOD, results={"\x1b[31m" + "x" * 300 + "_ms": -1}))

    assert "\x1b" not in told
    assert len(told) < 250


def test_results_are_bounded():
    assert refused(replace(GOOD, results={"log": "x" * 16_384})) == (
        "samples[0].results: 16,394 bytes are more than 16,384"
    )


def test_no_sample_and_too_many_are_refused():
    assert refused() == "0 samples are not 1 to 10,000"
    assert refused(*[GOOD] * 10_001) == "10001 samples are not 1 to 10,000"


def test_an_id_that_is_there_twice_is_refused_naming_both():
    other = replace(GOOD, benchmark_id="b2")

    assert refused(other, GOOD, replace(GOOD, workload="w")) == (
        "samples[2].benchmark_id: 'b1' is the id of samples[1] already"
    )


def test_a_sample_without_an_id_gets_one_of_its_contents():
    nameless = replace(GOOD, benchmark_id="", results={"a_ms": 1, "b": 2})
    (taken,) = admitted([nameless], NOW)
    (again,) = admitted([replace(nameless, results={"b": 2, "a_ms": 1})], NOW)

    assert taken.benchmark_id == again.benchmark_id == "bench_47a49d508765ddce"
    assert "the id of samples[0] already" in refused(nameless, nameless)


@given(
    st.sampled_from(["service_id", "asset_id", "workload", "digest", "observed_at"]),
    st.data(),
)
def test_whatever_a_sample_says_is_part_of_its_id(field, data):
    value = data.draw(st.floats(0, 1e9) if field == "observed_at" else st.text(max_size=5))
    other = replace(GOOD, **{field: value})

    assert (content_id(other) == content_id(GOOD)) == (other == GOOD)
