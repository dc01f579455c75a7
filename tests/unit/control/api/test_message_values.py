"""Values of messages are told with their unit, or not at all."""

import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from control.api import message_values

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), VALUES))
def test_a_json_object_comes_back_as_it_was(value):
    message = Struct()
    message.update(value)

    assert message_values.plain(message) == value


@pytest.mark.parametrize("read", [message_values.seconds, message_values.milliseconds])
def test_a_span_that_is_not_told_is_none(read):
    assert read(pb.ServiceStatus(), "held_back") is None


def test_spans_and_moments_have_their_unit():
    message = pb.ServiceStatus()
    message.latency_p50.FromNanoseconds(1_500_250_000)
    message.update_time.FromMilliseconds(1_775_583_000_250)

    assert message_values.milliseconds(message, "latency_p50") == 1_500.25
    assert message_values.seconds(message, "latency_p50") == 1.50025
    assert message_values.moment(message, "update_time") == 1_775_583_000.25
    assert message_values.told(message, "tokens_per_second") is None
