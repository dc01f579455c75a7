"""Sums of what a gateway did: they only grow, and are of a bounded number of services."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.meter import Increment
from gateway.totals import MAX_SERVICES, OTHER, Totals

ONE = Increment("h/a", "m", 2, 1, {"upstream_error": 3}, 10, 20, 19, 0.5, {4: 1}, {8: 2})


def test_increments_add_up():
    totals = Totals()
    totals.count(ONE, now=5.0)
    totals.count(ONE, now=6.0)
    (sums,) = totals.services.values()

    assert sums.since == 5.0
    assert sums.outcomes == {"answered": 4, "client_left": 2, "upstream_error": 6}
    assert (sums.prompt_tokens, sums.completion_tokens, sums.decoded_tokens) == (20, 40, 38)
    assert (sums.first_bytes, sums.durations, sums.decode_s) == ({4: 2}, {8: 4}, 1.0)


def test_what_waits_is_added_to_a_copy():
    totals = Totals()
    totals.count(ONE, now=5.0)
    whole = totals.with_([ONE], now=6.0)

    assert totals.services["h/a"].outcomes["answered"] == 2
    assert whole.services["h/a"].outcomes["answered"] == 4


def test_services_beyond_the_bound_are_counted_together():
    totals = Totals()
    for number in range(MAX_SERVICES + 50):
        totals.count(Increment(f"h/{number}", "m", answered=1), now=float(number))

    assert len(totals.services) == MAX_SERVICES + 1
    assert totals.services[OTHER].outcomes == {"answered": 50}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, MAX_SERVICES + 9)), max_size=30))
def test_what_all_workers_did_never_goes_backwards(steps):
    """Whichever of them counts what, and however many services each knows already."""
    workers = [Totals() for _ in range(3)]
    for number in range(MAX_SERVICES - 2):
        workers[number % 3].count(Increment(f"h/{number}", "m", answered=1), now=0.0)
    before = {}
    for now, (worker, service) in enumerate(steps, 1):
        workers[worker].count(Increment(f"h/{service}", "m", answered=1), now=float(now))
        whole = Totals()
        whole.add(workers)
        after = {name: sums.outcomes["answered"] for name, sums in whole.services.items()}

        assert len(after) <= MAX_SERVICES + 1
        assert all(after[name] >= count for name, count in before.items())
        assert sum(after.values()) == MAX_SERVICES - 2 + now
        before = after
