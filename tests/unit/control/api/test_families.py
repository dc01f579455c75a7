"""Counts become what scrapers read."""

from prometheus_client.parser import text_string_to_metric_families

from control.api.families import Counter, Gauge, Histogram, rendered
from control.api.latency import BOUNDS, BUCKETS, bucket

LATENCY = Histogram("latency_seconds", "How long.", ("service",), first=0.064, last=1.024)


def samples(*families):
    """Return the value of each series, as a scraper reads it."""
    parsed = text_string_to_metric_families(rendered(families).decode())
    return {
        (one.name, *sorted(one.labels.items())): one.value
        for family in parsed
        for one in family.samples
    }


def test_counters_and_gauges_tell_their_values():
    found = samples(
        Counter("asked", "How often.", ("code",)).of({("a",): 2, ("b",): 3}),
        Gauge("hosts", "How many.").of({(): 5}),
    )

    assert found == {
        ("asked_total", ("code", "a")): 2,
        ("asked_total", ("code", "b")): 3,
        ("hosts",): 5,
    }


def test_a_histogram_has_bounds_that_double():
    counts = {bucket(0.001): 1, bucket(0.1): 2, bucket(1.024): 4, bucket(1e9): 8}
    found = samples(LATENCY.of({("h/a",): counts}))
    buckets = {key[1][1]: value for key, value in found.items() if key[0].endswith("_bucket")}

    assert buckets == {
        "0.064": 1, "0.128": 3, "0.256": 3, "0.512": 3, "1.024": 7, "+Inf": 15
    }  # fmt: skip
    assert found["latency_seconds_count", ("service", "h/a")] == 15


def test_the_sum_of_a_histogram_is_right_within_ten_percent():
    seconds = [0.0013 * 1.1**power for power in range(100)]
    counts = dict.fromkeys(range(BUCKETS), 0)
    for one in seconds:
        counts[bucket(one)] += 1
    found = samples(LATENCY.of({("h/a",): counts}))

    assert max(seconds) < BOUNDS[-1]
    assert abs(found["latency_seconds_sum", ("service", "h/a")] / sum(seconds) - 1) < 0.1


def test_labels_are_escaped():
    found = samples(Gauge("hosts", "How many.", ("name",)).of({('a"\n\\',): 1}))

    assert found == {("hosts", ("name", 'a"\n\\')): 1}
