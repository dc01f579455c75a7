import math

import pytest

from control.inventory import Availability, GpuMetrics, Health, Metrics, Observation
from control.machines import MAX_BYTES
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


@pytest.mark.parametrize(
    ("field", "most", "beyond"),
    [
        ("latency_p95", 86_400.0, 86_400.1),
        ("kv_cache_utilization", 1.0, 1.01),
        ("vram_used_bytes", MAX_BYTES, MAX_BYTES + 1),
        ("prompt_tokens_per_second", 1e7, 1.1e7),
        ("first_token_p50", 86_400.0, 1e9),
        ("first_token_p95", 86_400.0, math.inf),
    ],
)
def test_what_newer_nodes_tell_has_its_bounds(field, most, beyond):
    for good in (0, most):
        seen = Observation(Health.HEALTHY, **{field: good})
        assert clean(seen) == (seen, 0)
    for odd in (beyond, -1, math.nan):
        seen = Observation(Health.HEALTHY, 1, **{field: odd})
        assert clean(seen) == (Observation(Health.HEALTHY, 1), 1)


def test_what_was_not_told_is_not_counted_as_dropped():
    assert clean(Observation()) == (Observation(), 0)


def test_detail_is_shortened_and_loses_control_characters():
    kept, _ = clean(Observation(detail="bad\x1b[2J\n" + "x" * 500))

    assert kept.detail == "bad [2J " + "x" * 192


@pytest.mark.parametrize("value", [*ODD, 1.01])
def test_odd_metrics_are_dropped_and_counted(value):
    assert clean_metrics(Metrics(value, -5)) == (Metrics(), 2)
    assert clean_metrics(Metrics(0.5, 5)) == (Metrics(0.5, 5), 0)


@pytest.mark.parametrize("celsius", [math.nan, -101.0, 201.0, math.inf])
def test_a_broken_sensor_tells_nothing_and_frost_does(celsius):
    seen = Metrics(0.5, temperature_celsius=celsius, on_ac_power=False)
    assert clean_metrics(seen) == (Metrics(0.5, on_ac_power=False), 1)

    cold = Metrics(temperature_celsius=-20.0)
    assert clean_metrics(cold) == (cold, 0)


def test_odd_values_of_a_graphics_processor_are_dropped_and_the_others_kept():
    good = GpuMetrics("0", 0.5, 9 << 30, 64.0)
    odd = GpuMetrics("1", 1.5, -1, math.nan)
    seen = Metrics(0.5, gpus=(good, odd, GpuMetrics("0", 0.9), GpuMetrics("")))

    assert clean_metrics(seen) == (Metrics(0.5, gpus=(good, GpuMetrics("1"))), 5)
