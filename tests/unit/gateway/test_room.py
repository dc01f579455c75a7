"""Who waits is sent as soon as somebody may serve it, and is refused only for a reason."""

import pytest
from geniehive.v1 import routing_service_pb2 as pb

from control.api.errors import UpstreamError, UpstreamTimeout
from gateway.capacity import Capacity
from gateway.residency import DOUBT_S
from gateway.told import Told
from tests.unit.gateway.crowd import Crowd

pytestmark = pytest.mark.anyio

LONG_WAIT_S = 60.0  # longer than anybody waits for a model that is there
HANGS = UpstreamTimeout("it hangs")


def upstream(crowd, service="h/0"):
    return crowd.gateway.routes.upstreams[service]


def fall(crowd, service, error=HANGS):
    breaker = upstream(crowd, service).breaker
    for _ in range(5):
        breaker.failed(breaker.epoch, error, crowd.now)


async def pass_time(crowd, seconds=0.1):
    crowd.wait(seconds)
    await crowd.turn()


# Whoever may serve does.


async def test_a_full_service_that_is_out_of_rotation_holds_nobody_back_from_the_next_tier():
    crowd = Crowd({"h/0": 1, "h/1": 1}, tiers={"h/1": 1})
    crowd.come()
    waits = crowd.come()
    await crowd.turn()
    assert waits.tried == []

    fall(crowd, "h/0")
    await pass_time(crowd)

    assert waits.tried == ["h/1"]


async def test_who_failed_at_a_service_goes_elsewhere_though_others_wait_for_that_service():
    crowd = Crowd({"h/0": 1, "h/1": 1}, tiers={"h/1": 1})
    failed = crowd.come()
    waits = [crowd.come(principal=key) for key in "abc"]
    await crowd.turn()

    crowd.fail(failed, "away")
    await crowd.turn()

    assert failed.tried == ["h/0", "h/1"]
    assert [one.tried for one in waits].count(["h/0"]) == 1


async def test_whoever_is_busy_as_it_says_itself_is_waited_for():
    crowd = Crowd({"h/0": 2})
    served = [crowd.come(), crowd.come()]
    waits = [crowd.come() for _ in range(3)]
    crowd.fail(served[0], "busy")
    later = crowd.come()
    await pass_time(crowd)

    assert served[0].status == 429
    assert waits[0].tried == ["h/0"], "it has a free slot"
    assert crowd.waiting == [*waits[1:], later]


async def test_of_models_that_are_not_loaded_one_is_loaded_where_nobody_is_served():
    crowd = Crowd(
        {"h/0": 2, "h/1": 2},
        {"one": ["h/0"], "two": ["h/0", "h/1"]},
        strategy=pb.STRATEGY_SCORED,
        absent=[("two", "h/0"), ("two", "h/1")],
    )
    upstream(crowd).loaded_assets = 1
    crowd.come("one")

    assert crowd.come("two").tried == ["h/1"]


# Reservations.


def three_models():
    """Return two engines that serve `one` and `three`, and could hold `two`."""
    crowd = Crowd(
        {"h/0": 2, "h/1": 2},
        {"one": ["h/0"], "three": ["h/1"], "two": ["h/0", "h/1"]},
        absent=[("two", "h/0"), ("two", "h/1")],
    )
    for service in crowd.slots:
        upstream(crowd, service).loaded_assets = 1
    return crowd


def reserved(crowd):
    return [name for name in crowd.slots if upstream(crowd, name).reserved]


async def test_for_one_model_no_more_than_one_service_is_kept():
    crowd = three_models()
    crowd.come("one")
    crowd.come("three")
    for _ in range(3):
        crowd.come("two")
    for _ in range(3):
        await pass_time(crowd, LONG_WAIT_S)

    assert len(reserved(crowd)) == 1


async def test_nothing_is_kept_any_more_once_the_model_is_there():
    crowd = three_models()
    first, third = crowd.come("one"), crowd.come("three")
    second = crowd.come("two")
    for _ in range(2):
        await pass_time(crowd, LONG_WAIT_S)
    (kept,) = reserved(crowd)

    (other,) = {"h/0", "h/1"} - {kept}
    crowd.push(absent={("two", kept)})  # somebody else had it loaded
    await pass_time(crowd)
    assert reserved(crowd) == []

    crowd.finish(first if other == "h/0" else third)
    await crowd.turn()
    assert second.tried == [other]


async def test_while_a_model_is_loaded_nothing_else_is_kept_for_it():
    crowd = three_models()
    third = crowd.come("three")
    loads = crowd.come("two")
    assert loads.tried == ["h/0"]
    crowd.come("two")
    for _ in range(3):
        await pass_time(crowd, LONG_WAIT_S)

    assert reserved(crowd) == []
    crowd.finish(third)
    another = crowd.come("three")
    await crowd.turn()
    assert another.tried == ["h/1"]


async def test_what_the_table_does_not_know_is_forgotten_though_nobody_waits():
    crowd = three_models()
    crowd.finish(crowd.come("two"))
    assert upstream(crowd).switch is not None

    await pass_time(crowd, DOUBT_S + 1.0)
    crowd.come("three")
    crowd.come("one")

    assert upstream(crowd).switch is None


async def test_who_has_no_time_to_wait_drops_no_model_that_serves():
    crowd = three_models()
    serves = [crowd.come("one"), crowd.come("three")]

    hurried = crowd.come("two", seconds=0.01)

    assert (hurried.status, hurried.tried) == (429, [])
    assert crowd.served == serves


# Refusals.


def known(crowd, *, prefill=1_000.0, decode=40.0):
    told = Told("h/0", "m", prefill=prefill, decode=((1, decode),), answer=200.0, samples=9)
    crowd.gateway.learned.tell([told])


async def test_a_guess_is_not_enough_to_refuse_anybody():
    crowd = Crowd({"h/0": 1})
    crowd.come()

    assert crowd.come(seconds=5.0) in crowd.waiting


async def test_whose_time_is_too_short_for_what_is_known_is_refused():
    crowd = Crowd({"h/0": 1})
    known(crowd)
    crowd.come()

    assert crowd.come(seconds=4.0).status == 429
    assert crowd.come(seconds=10.0) in crowd.waiting


async def test_nobody_is_refused_for_a_long_prompt_of_its_own():
    crowd = Crowd({"h/0": 1})
    known(crowd)
    for _ in range(3):
        crowd.come()

    assert crowd.come(size=400_000, seconds=60.0) in crowd.waiting


async def test_a_long_prompt_before_it_counts_for_who_waits():
    crowd = Crowd({"h/0": 1})
    known(crowd)
    crowd.come()
    crowd.come(size=400_000, priority="high")

    assert crowd.come(seconds=60.0).status == 429


async def test_of_a_thousand_services_a_few_tell_how_long_it_takes():
    crowd = Crowd({f"h/{number}": 1 for number in range(1_000)})
    for _ in range(1_000):
        crowd.come()

    waits = crowd.come()
    _, seconds = crowd.gateway.room.expectation(waits.exchange._waiter)

    assert seconds == pytest.approx(5.5 / 1_000, rel=0.1)


async def test_who_only_waits_is_no_proof_of_more_slots():
    crowd = Crowd({"h/0": 0})
    guest = crowd.come()
    upstream(crowd).capacity = capacity = Watched()
    upstream(crowd).book(0.1)

    crowd.fail(guest, "busy")

    assert capacity.seen == [1]


class Watched(Capacity):
    def __init__(self):
        super().__init__()
        self.seen = []

    def refused(self, in_flight):
        self.seen.append(in_flight)


# What requests hold.


async def test_who_waits_again_holds_no_place_for_a_retry():
    crowd = Crowd({"h/0": 1, "h/1": 1, "h/2": 1})
    for service in crowd.slots:
        breaker = upstream(crowd, service).breaker
        breaker.failed(breaker.epoch, UpstreamError("it fails"), crowd.now)
    first, other = crowd.come(), crowd.come()
    budget = crowd.gateway.retry_budget
    crowd.fail(first, "away")
    assert budget.under_way == 1

    crowd.fail(first, "away")
    assert first in crowd.waiting
    assert budget.under_way == 0

    crowd.finish(other)
    await crowd.turn()
    assert first.tried[2:] == other.tried
    assert budget.under_way == 1
    crowd.finish(first)
    assert budget.under_way == 0


async def test_a_prompt_that_an_earlier_attempt_had_read_says_nothing_of_the_next():
    timers = []
    crowd = Crowd({"h/0": 1, "h/1": 1})
    crowd.gateway.later = lambda seconds, call: timers.append(Timer(call)) or timers[-1]
    guest = crowd.come(size=40_000)
    crowd.wait(5.0)
    crowd.fail(guest, "away")
    pending = upstream(crowd, guest.tried[1]).pending
    assert pending > 5.0

    timers[0].fire()
    assert upstream(crowd, guest.tried[1]).pending == pending
    timers[1].fire()
    assert crowd.counters()["pending"] == 0


class Timer:
    def __init__(self, call):
        self.call = call

    def cancel(self):
        self.call = None

    def fire(self):
        if self.call is not None:
            self.call()


async def test_who_waits_twice_is_told_since_when_and_for_how_long_in_all():
    crowd = Crowd({"h/0": 1, "h/1": 1})
    first, other = crowd.come(), crowd.come()
    guest = crowd.come()
    crowd.wait(2.0)
    crowd.finish(first)
    await crowd.turn()
    crowd.wait(1.0)
    crowd.fail(guest, "away")
    assert guest in crowd.waiting
    crowd.wait(3.0)
    crowd.finish(other)
    await crowd.turn()

    queued = guest.exchange.record().queued
    assert (queued.at, queued.seconds) == (0.0, pytest.approx(5.0))


# A sibling that is quicker.


async def test_who_comes_too_late_for_a_service_each_time_goes_on_waiting():
    """As workers do that look at the same time: counts of the other one are seen at once."""
    crowd = Crowd({"h/0": 1, "h/1": 1})
    for service in crowd.slots:
        taken_meanwhile(upstream(crowd, service))

    guest = crowd.come()

    assert (guest.status, guest.tried) == (0, [])
    assert guest in crowd.waiting


def taken_meanwhile(load):
    """Let a sibling have `load` whenever it was found to be free."""
    load.__class__ = type("Contested", (type(load),), {"fits": False})


async def test_models_for_which_nobody_waits_any_more_leave_nothing_behind():
    models = {f"m{number}": ["h/0"] for number in range(50)}
    crowd = Crowd({"h/0": 1}, models)
    crowd.come("m0")
    stays = crowd.come("m1")
    for model in models:
        crowd.leave(crowd.come(model))
    await pass_time(crowd)

    assert crowd.waiting == [stays]
    assert len(crowd.gateway.room._wanted) == 1


@pytest.mark.parametrize("then", ["served", "gone"])
async def test_a_witness_that_fails_holds_up_nobody(then):
    crowd = Crowd({"h/0": 1})
    served, guest, other = (crowd.come() for _ in range(3))
    guest.exchange._witnesses = [Broken()]

    if then == "served":
        crowd.finish(served)
    else:
        crowd.push(slots={})
    await pass_time(crowd)

    assert guest.ends == 1
    if then == "served":
        assert crowd.served == [other]
        crowd.finish(other)
    assert not crowd.waiting
    crowd.leave(served)
    assert not any(crowd.counters().values())


class Broken:
    def waited(self, *_):
        raise RuntimeError("a bug")

    def over(self, *_):
        pass


async def test_what_is_told_of_who_waits_adds_up():
    crowd = Crowd({"h/0": 1, "h/1": 1})
    for _ in range(7):
        crowd.come()

    loads = crowd.gateway.loads()

    assert sum(one.waiting for one in loads.values()) == 5
