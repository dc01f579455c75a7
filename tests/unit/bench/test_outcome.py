from collections import Counter

from bench.load import Record
from bench.outcome import CURVE, outcome
from bench.processes import Usage


def record() -> Record:
    made = Record(seconds=2.0, own_cpu_ns=500_000_000, used=Usage(1_000_000_000, 50 << 20))
    made.latencies.extend(range(1_000, 101_000, 1_000))
    made.errors.update(Counter({"status 503": 3}))
    return made


def test_figures_add_up():
    found = outcome(record(), measured=True)

    assert found.answered == 100
    assert found.requests_per_second == 50.0
    assert found.latency == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 100.0, "max": 100.0}
    assert found.cpu_share == 0.5
    assert found.cpu_per_request == 10_000.0
    assert found.rss_mib == 50.0
    assert found.own_share == 0.25
    assert len(found.curve) == len(CURVE)
    assert ("error: status 503", "3") in found.rows()


def test_what_did_not_happen_has_no_figure():
    found = outcome(Record(seconds=1.0), measured=False)

    assert found.latency is None
    assert found.cpu_share is None
    assert found.cpu_per_request is None
    assert found.curve == ()
    assert [what for what, _ in found.rows()] == [
        "requests",
        "requests/s",
        "CPU of this generator",
    ]
