import gc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.meter import Increment, Meter
from gateway.reasoning import Usage

USAGE = Usage(10, 21)


@pytest.fixture
def meter():
    return Meter()


def test_a_streamed_answer_counts_with_its_first_byte_and_its_speed(meter):
    meter.tally("h/a", "m").answered(0.5, 4.5, USAGE, streamed=True)

    assert meter.take(10) == [
        Increment(
            "h/a",
            "m",
            answered=1,
            prompt_tokens=10,
            completion_tokens=21,
            decoded_tokens=20,
            decode_s=4.0,
            first_bytes={36: 1},
            durations={49: 1},
        )
    ]


@pytest.mark.parametrize(
    ("usage", "streamed", "expected"),
    [
        (None, True, {"first_bytes": {40: 1}}),
        (None, False, {}),
        (USAGE, False, {"prompt_tokens": 10, "completion_tokens": 21}),
        (
            Usage(10, 1),
            True,
            {"prompt_tokens": 10, "completion_tokens": 1, "first_bytes": {40: 1}},
        ),
    ],
    ids=["unknown-usage", "unknown-and-whole", "whole-tells-no-speed", "one-token-has-no-speed"],
)
def test_what_is_not_known_is_not_counted(meter, usage, streamed, expected):
    meter.tally("h/a", "m").answered(1.0, 2.0, usage, streamed=streamed)

    assert meter.take(10) == [Increment("h/a", "m", 1, durations={44: 1}, **expected)]


def test_failures_count_by_code_and_clients_that_left_apart(meter):
    tally = meter.tally("h/a", "m")
    tally.failed("upstream_error")
    tally.failed("upstream_timeout")
    tally.failed("upstream_error")
    tally.left()

    assert meter.take(10) == [
        Increment("h/a", "m", abandoned=1, errors={"upstream_error": 2, "upstream_timeout": 1})
    ]


def test_what_was_taken_is_not_told_again(meter):
    tally = meter.tally("h/a", "m")
    tally.left()
    meter.take(10)

    assert meter.take(10) == []
    tally.left()
    assert meter.take(10) == [Increment("h/a", "m", abandoned=1)]


def test_no_more_is_taken_than_asked_for_and_the_rest_waits(meter):
    for name in "abc":
        meter.tally(f"h/{name}", "m").left()

    assert [one.service_id for one in meter.take(2)] == ["h/a", "h/b"]
    assert meter.waiting == 1
    assert [one.service_id for one in meter.take(2)] == ["h/c"]


def test_a_pair_has_one_tally_as_long_as_it_is_held(meter):
    tally = meter.tally("h/a", "m")

    assert meter.tally("h/a", "m") is tally
    assert meter.tally("h/a", "n") is not tally


def test_tallies_that_nobody_holds_are_gone_after_they_were_told(meter):
    for number in range(100):
        meter.tally(f"h/{number}", "m").left()
    gc.collect()
    assert len(meter._tallies) == 100
    meter.take(100)
    gc.collect()

    assert len(meter._tallies) == 0


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["answer", "fail", "leave", "take"])))
)
def test_whenever_it_is_taken_everything_is_told_once(steps):
    meter = Meter()
    told, done = Counter(), Counter()
    for asset, step in [*steps, ("a", "take")]:
        tally = meter.tally("h/a", asset)
        if step == "take":
            for one in meter.take(10):
                told[one.asset_id, "answer"] += one.answered
                told[one.asset_id, "leave"] += one.abandoned
                told[one.asset_id, "fail"] += one.errors.get("upstream_error", 0)
            continue
        done[asset, step] += 1
        match step:
            case "answer":
                tally.answered(0.1, 0.2, USAGE, streamed=True)
            case "fail":
                tally.failed("upstream_error")
            case "leave":
                tally.left()

    assert +told == +done
    assert meter.waiting == 0
