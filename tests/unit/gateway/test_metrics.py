"""What a scraper is told of all workers together."""

from collections import Counter

from control.api.families import rendered
from gateway.meter import Increment
from gateway.metrics import ALL, families
from gateway.snapshot import Now, Snapshot, Speed
from gateway.totals import MAX_SERVICES, OTHER, Totals
from gateway.waited import Refusal
from tests.series import series


def told(at: float = 10.0, services: int = 1, **now) -> Snapshot:
    totals = Totals()
    for number in range(services):
        increment = Increment(
            f"h/{number}", "m", 2, 1, {"upstream_error": 1}, 10, 20, 19, 0.5, {4: 1}, {8: 2}
        )
        totals.count(increment, now=float(number))
    return Snapshot(Now(at=at, **now), totals, Counter({"rate_limited": 3}))


def scraped(*snapshots: Snapshot, at: float = 10.0) -> dict[str, float]:
    return series(rendered(families(snapshots, at)).decode())


def test_counts_of_all_workers_are_added_up():
    found = scraped(told(), told())

    assert found["upstream_requests_total,h/0,answered"] == 4
    assert found["upstream_requests_total,h/0,client_left"] == 2
    assert found["upstream_requests_total,h/0,upstream_error"] == 2
    assert found["refused_requests_total,rate_limited"] == 6
    assert found["tokens_total,h/0,completion"] == 40
    assert found["request_duration_seconds_count,h/0"] == 4
    assert found["time_to_first_byte_seconds_count,h/0"] == 2
    assert found["decode_seconds_total,h/0"] == 1.0


def test_the_worst_worker_tells_how_routes_are():
    good = told(connected=True, age=0.0, version=7, routed=3, lag=0.001)
    bad = told(connected=False, age=4.0, version=5, routed=2, lag=0.2)
    found = scraped(good, bad)

    assert found["control_connected"] == 0
    assert found["route_age_seconds"] == 4.0
    assert found["route_version"] == 5
    assert found["routed_services"] == 2
    assert found["event_loop_lag_seconds"] == 0.2
    assert scraped(good)["control_connected"] == 1


def test_without_routes_they_have_no_version_and_no_age():
    found = scraped(told())

    assert "route_version" not in found
    assert "route_age_seconds" not in found


def test_a_worker_that_died_counts_and_is_not_there():
    found = scraped(told(at=1.0, connections=5), told(connections=2, in_flight={"h/0": 3}))

    assert found["workers"] == 1
    assert found["client_connections"] == 2
    assert found["in_flight_requests,h/0"] == 3
    assert found["upstream_requests_total,h/0,answered"] == 4


def test_what_is_kept_out_is_so_at_any_worker_and_what_is_held_adds_up():
    first = told(ejected=["h/0"], resting=2, active=3, most=10, held=100)
    second = told(ejected=["h/0", "h/9"], resting=1, active=4, most=10, held=200)
    found = scraped(first, second, told(at=1.0, ejected=["h/7"], active=9, most=10))

    assert (found["ejected,h/0"], found["ejected,h/9"]) == (1, 1)
    assert "ejected,h/7" not in found
    assert found["resting_services"] == 2
    assert (found["active_requests"], found["active_requests_limit"]) == (7, 20)
    assert found["held_bytes"] == 300
    assert scraped(told())["ejected,h/0"] == 0


def test_who_waits_adds_up_and_so_does_how_long_they_did_at_workers_that_died():
    first, dead = told(waiting=2), told(at=1.0, waiting=7)
    for one in (first, dead):
        one.waited.over(1.5)
        one.waited.refuse(Refusal.FULL)
    found = scraped(first, dead, told(waiting=3))

    assert found["waiting_requests"] == 5
    assert found["queue_seconds_count"] == 2
    assert found["queue_refusals_total,full"] == 2
    assert found["queue_refusals_total,deadline"] == 0


def test_speeds_are_those_of_who_saw_most_and_slots_of_who_believes_in_least():
    first = told(speeds=[Speed("h/0", "m", 800.0, 40.0, 9)], slots={"h/0": 8})
    second = told(speeds=[Speed("h/0", "m", 900.0, None, 5)], slots={"h/0": 4, "h/1": 2})
    found = scraped(first, second)

    assert found["learned_prefill_tokens_per_second,h/0,m"] == 800
    assert found["learned_decode_tokens_per_second,h/0,m"] == 40
    assert (found["believed_slots,h/0"], found["believed_slots,h/1"]) == (4, 2)


def test_a_speed_that_nobody_knows_is_not_told():
    found = scraped(told(speeds=[Speed("h/0", "m", None, 40.0, 1)]))

    assert "learned_prefill_tokens_per_second,h/0,m" not in found
    assert found["learned_decode_tokens_per_second,h/0,m"] == 40


def test_speeds_and_slots_are_of_a_bounded_number():
    speeds = [Speed(f"h/{number}", "m", 1.0, 1.0, 1) for number in range(1_000)]
    found = scraped(told(speeds=speeds, slots={one.service_id: 1 for one in speeds}))

    for name in ("learned_prefill_tokens_per_second", "believed_slots"):
        assert sum(key.startswith(name) for key in found) == MAX_SERVICES


def test_retries_and_ejections_of_workers_that_died_count_too():
    dead, alive = told(at=1.0), told()
    for one in (dead, alive):
        one.retried, one.retries_denied = 3, 1
        one.totals.eject("h/0", 1.0)
        one.totals.eject("h/0", 1.0)
    found = scraped(dead, alive)

    assert (found["retries_total"], found["retries_denied_total"]) == (6, 2)
    assert found["ejections_total,h/0"] == 4


def test_series_are_of_a_bounded_number_of_services():
    busy = {f"g/{number}": 1 for number in range(1_000)}
    many = told(services=300, in_flight=busy, ejected=[*busy])
    found = scraped(many, many)
    of_none = ("refused_requests", "queue_")
    names = {key.split(",")[1] for key in found if "," in key and not key.startswith(of_none)}

    assert len(names) == MAX_SERVICES + 1
    assert found[f"upstream_requests_total,{OTHER},answered"] == 400
    assert found[f"in_flight_requests,{OTHER}"] == 2_000
    assert found[f"ejected,{OTHER}"] == 1


def test_every_family_is_told_once_and_by_conventions():
    made = list(families([told(age=1.0, version=1)], 10.0))

    assert [one.name for one in made] == [one.name for one in ALL]
    assert [one.type for one in made] == [one.kind for one in ALL]
    for one in ALL:
        assert one.name.startswith("geniehive_gateway_")
        assert one.help.endswith(".")
        assert not one.name.endswith(("_total", "_ms", "_count"))
