import math

import pytest
from geniehive.v1 import inventory_pb2 as pb
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from control.ranking.speed import Speed
from control.speed_messages import MAX_LEVELS, speed_message, speeds

KEY = ("h/s", "m")
WHOLE = Speed(2_400.0, ((1, 38.0), (4, 21.0)), 3.2, 210.0, 4.1, 4, 17)


def told(**values):
    (found,) = speeds([pb.LearnedRates(service_id="h/s", asset_id="m", sample_count=1, **values)])
    return found[1]


def test_what_is_told_is_read_as_it_was():
    assert dict(speeds([speed_message(KEY, WHOLE)])) == {KEY: WHOLE}
    assert dict(speeds([speed_message(KEY, Speed(samples=1))])) == {KEY: Speed(samples=1)}


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, 1e12])
def test_a_value_that_cannot_be_is_left_out_and_the_others_count(value):
    found = told(
        prefill_tokens_per_second=value,
        bytes_per_token=value,
        decode=[
            pb.DecodeRate(concurrency=1, tokens_per_second=value),
            pb.DecodeRate(concurrency=2, tokens_per_second=20.0),
        ],
        answer_tokens=100.0,
    )

    assert found == Speed(decode=((2, 20.0),), answer=100.0, samples=1)


@pytest.mark.parametrize("slots", [0, -1, 10**6])
def test_slots_that_cannot_be_are_none(slots):
    assert told(slots=slots) == Speed(samples=1)


@pytest.mark.parametrize("seconds", [-1, 10**9, 2**63 - 1])
def test_a_load_that_takes_less_than_nothing_or_a_day_is_none(seconds):
    message = pb.LearnedRates()
    message.load.seconds = seconds

    assert told(load=message.load) == Speed(samples=1)


@pytest.mark.parametrize(
    ("service_id", "asset_id", "samples"),
    [("", "m", 1), ("h/s", "", 1), ("h/s", "m", 0), ("h/s", "m", -1), ("h/s", "a\x1b[2J", 1)],
)
def test_who_it_is_about_has_to_be_plain(service_id, asset_id, samples):
    message = pb.LearnedRates(service_id=service_id, asset_id=asset_id, sample_count=samples)

    assert not list(speeds([message]))


def test_no_more_levels_are_read_than_the_contract_has():
    levels = [pb.DecodeRate(concurrency=one + 1, tokens_per_second=9.0) for one in range(99)]

    assert len(told(decode=levels).decode) == MAX_LEVELS


@given(st.binary(max_size=200))
def test_no_bytes_that_are_a_message_are_an_error(content):
    message = pb.LearnedRates()
    try:
        message.ParseFromString(content)
    except DecodeError:
        return
    for key, speed in speeds([message]):
        assert speed_message(key, speed).service_id == key[0]
