"""How long a service may take, and what a client may ask for."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.errors import InvalidValue
from gateway.config import Patience, Timeouts
from gateway.patience import Waits, asked, total, waits

TOLD = Timeouts(
    operations={"embeddings": Patience(total=60, idle=5)},
    services={
        "tower/vllm": Patience(first_byte=1),
        "tower/*": Patience(first_byte=20, idle=7),
    },
)


def test_without_exceptions_all_wait_as_the_settings_say():
    assert waits(TOLD, "chat", "attic/ollama") == Waits(5.0, 300.0, 300.0, 120.0, 3600.0)


def test_what_is_told_of_a_service_counts_before_what_is_told_of_an_operation():
    assert waits(TOLD, "embeddings", "tower/ollama") == Waits(5.0, 20.0, 300.0, 7.0, 60.0)


def test_the_first_pattern_that_fits_counts():
    assert waits(TOLD, "chat", "tower/vllm") == Waits(5.0, 1.0, 300.0, 120.0, 3600.0)


def test_only_an_operation_changes_what_all_attempts_may_take():
    told = Timeouts(services={"*": Patience(total=1)}, operations=TOLD.operations)

    assert total(told, "chat") == 3600.0
    assert total(told, "embeddings") == 60.0


@given(st.floats(1e-6, 1e12, exclude_min=True))
def test_any_time_may_be_asked_for(seconds):
    assert asked([(b"x-request-timeout", repr(seconds).encode())]) == seconds


def test_who_does_not_ask_waits_as_long_as_all():
    assert asked([(b"host", b"t")]) is None


@pytest.mark.parametrize(
    "value", [b"", b"0", b"-1", b"nan", b"inf", b"-inf", b"1e999", b"soon", b"1_0", b"1,5", b"\xb2",
              b"30s", b"0x1e", b"1" * 400 + b"x"],
)  # fmt: skip
def test_what_is_no_time_is_refused(value):
    with pytest.raises(InvalidValue) as refused:
        asked([(b"x-request-timeout", value)])
    assert refused.value.param == "X-Request-Timeout"


def test_two_times_are_one_only_if_they_are_the_same():
    twice = [(b"x-request-timeout", b"3")] * 2

    assert asked(twice) == 3 < inf
    with pytest.raises(InvalidValue):
        asked([*twice, (b"x-request-timeout", b"4")])
