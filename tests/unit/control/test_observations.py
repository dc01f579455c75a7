import math

import pytest

from control.inventory import Availability, Health, Metrics, Observation
from control.observations import clean, clean_metrics

ODD = [math.nan, math.inf, -math.inf, -1.0, -1e-9]


def test_good_values_pass_unchanged():
    seen = Observation(Health.HEALTHY, 1, 2, 3.5, 0.25, "busy", Availability.DRAINING)

    assert clean(seen) == (seen, 0)


def test_zero_is_a_value():
    seen = Observation(Health.HEALTHY, 0, 0, 0.0, 0.0)

    assert clean(seen) == (seen, 0)


@pytest.mark.parametrize("value", ODD)
def test_an_odd_value_is_dropped_and_counted_and_the_rest_kept(value):
    kept, dropped = clean(Observation(Health.HEALTHY, -3, 2, value, value))

    assert kept == Observation(Health.HEALTHY, None, 2, None, None)
    assert dropped == 3


def test_a_value_beyond_all_reason_is_dropped_and_counted():
    most = Observation(Health.HEALTHY, 1_000_000, 1_000_000, 1e6, 86_400.0)
    assert clean(most) == (most, 0)

    more = Observation(Health.HEALTHY, 1_000_001, 2**31 - 1, 1.1e6, 86_400.1)
    assert clean(more) == (Observation(Health.HEALTHY), 4)


def test_what_was_not_told_is_not_counted_as_dropped():
    assert clean(Observation()) == (Observation(), 0)


def test_detail_is_shortened_and_loses_control_characters():
    kept, _ = clean(Observation(detail="bad\x1b[2J\n" + "x" * 500))

    assert kept.detail == "bad [2J " + "x" * 192


@pytest.mark.parametrize("value", [*ODD, 1.01])
def test_odd_metrics_are_dropped_and_counted(value):
    assert clean_metrics(Metrics(value, -5)) == (Metrics(), 2)
    assert clean_metrics(Metrics(0.5, 5)) == (Metrics(0.5, 5), 0)
