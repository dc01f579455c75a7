"""What no service, control or client should tell, and who waits meanwhile."""

from math import inf, nan

import pytest
from geniehive.v1 import routing_service_pb2 as pb

from gateway.load import Elsewhere
from gateway.told import Told
from tests.unit.gateway.crowd import Crowd

pytestmark = pytest.mark.anyio

ECT = pb.STRATEGY_EXPECTED_COMPLETION
MANY = 1_000_000


async def filled(slots=None, count=1, **more):
    """Return a crowd whose services are all busy, and in which `count` more wait for `m`."""
    slots = slots or {"h/0": 1}
    crowd = Crowd(slots, **more)
    for _ in range(sum(slots.values()) + count):
        crowd.come()
    await crowd.turn()
    assert len(crowd.waiting) == count
    return crowd


async def settled(crowd):
    """Let everything happen that was begun, and that the next sweep finds."""
    crowd.wait(0.1)
    await crowd.turn()


async def ended(crowd):
    """Let all leave; return what is still counted then."""
    for guest in crowd.guests:
        crowd.leave(guest)
    await crowd.turn()
    return {name: count for name, count in crowd.counters().items() if count}


async def test_a_million_slots_are_not_believed_and_starve_nobody():
    crowd = await filled(count=50)

    crowd.push(slots={"h/0": MANY})
    sent = [len(crowd.served)]
    while crowd.served:
        crowd.finish(crowd.served[0])
        await settled(crowd)
        sent.append(len(crowd.served))

    assert max(sent) <= 50
    assert [one.status for one in crowd.guests] == [200] * 51
    assert await ended(crowd) == {}


async def test_slots_that_drop_to_unknown_starve_nobody():
    crowd = await filled({"h/0": 2}, count=5)

    crowd.push(slots={"h/0": 0})
    for _ in range(7):
        await settled(crowd)
        crowd.finish(crowd.served[0])

    assert [one.status for one in crowd.guests] == [200] * 7
    assert await ended(crowd) == {}


async def test_slots_that_flap_lose_nobody_and_send_nobody_twice():
    crowd = await filled({"h/0": 4}, count=40)

    for turn in range(60):
        crowd.push(slots={"h/0": (0, 1, MANY, 2)[turn % 4]} if turn % 7 else {})
        await settled(crowd)
        if served := crowd.served:
            crowd.finish(served[0])

    statuses = [one.status for one in crowd.guests if one.ends]
    assert set(statuses) <= {200, 503}
    assert all(len(one.tried) <= 1 for one in crowd.guests)
    assert await ended(crowd) == {}


@pytest.mark.parametrize("strategy", [pb.STRATEGY_LEAST_LOADED, ECT])
async def test_who_waits_for_a_service_that_goes_is_told_at_once(strategy):
    crowd = await filled(count=10, strategy=strategy)
    waiting = crowd.waiting

    crowd.push(slots={})
    await settled(crowd)

    assert [one.status for one in waiting] == [503] * 10
    assert len(crowd.served) == 1  # what it has begun it may finish
    assert await ended(crowd) == {}


@pytest.mark.parametrize("strategy", [pb.STRATEGY_LEAST_LOADED, ECT])
async def test_who_waits_for_two_of_which_one_goes_is_served_by_the_other(strategy):
    crowd = await filled({"h/0": 1, "h/1": 1}, count=4, strategy=strategy)
    staying = [one for one in crowd.served if one.tried == ["h/1"]]

    crowd.push(slots={"h/1": 1})
    for _ in range(5):
        await settled(crowd)
        crowd.finish(staying.pop() if staying else crowd.served[-1])

    assert [one.tried for one in crowd.guests[2:]] == [["h/1"]] * 4
    assert await ended(crowd) == {}


async def test_a_deadline_that_no_estimate_fits_is_told_at_once_with_when_to_come_again():
    crowd = await filled(count=3)

    late = crowd.come(seconds=0.001)

    assert late.status == 429
    assert b'"all_busy"' in late.content
    assert b"retry-after: " in late.head
    assert len(crowd.waiting) == 3
    assert await ended(crowd) == {}


async def test_a_deadline_that_passes_while_one_waits_ends_it():
    crowd = await filled(count=1)
    (waiting,) = crowd.waiting

    crowd.wait(3_700.0)
    await crowd.turn()

    assert waiting.ends == 1
    assert waiting.status in (429, 503, 504)
    assert waiting.tried == []
    assert await ended(crowd) == {}


async def test_a_prompt_longer_than_every_context_waits_as_others_do_and_is_the_engines_to_refuse():
    crowd = await filled(count=1)

    giant = crowd.come(size=5_000_000)
    for _ in range(3):
        crowd.finish(crowd.served[0])
        await crowd.turn()

    assert giant.status == 200
    assert await ended(crowd) == {}


@pytest.mark.parametrize("strategy", [pb.STRATEGY_LEAST_LOADED, ECT])
@pytest.mark.parametrize("pending", [nan, inf, -1.0, 1e12], ids=str)
async def test_pending_seconds_that_cannot_be_starve_nobody_for_ever(pending, strategy):
    crowd = await filled(strategy=strategy)

    crowd.gateway.routes.set_elsewhere({"h/0": Elsewhere(0, 0, pending)})
    crowd.finish(crowd.served[0])
    await crowd.turn()
    crowd.gateway.routes.set_elsewhere({})
    crowd.gateway.room.poke()
    await crowd.turn()

    assert len(crowd.served) == 1
    assert await ended(crowd) == {}


@pytest.mark.parametrize("count", [MANY, 2**31 - 1])
async def test_a_million_requests_elsewhere_leave_a_place_as_soon_as_they_are_gone(count):
    crowd = await filled()
    crowd.gateway.routes.set_elsewhere({"h/0": Elsewhere(count, 0, 0.0)})
    crowd.finish(crowd.served[0])
    await crowd.turn()
    assert crowd.served == []

    crowd.gateway.routes.set_elsewhere({})
    crowd.gateway.room.poke()
    await crowd.turn()

    assert len(crowd.served) == 1
    assert await ended(crowd) == {}


async def test_500_that_leave_while_they_wait_are_gone_when_they_have_left():
    crowd = await filled(count=500)

    for guest in crowd.waiting:
        crowd.leave(guest)

    assert crowd.gateway.room.waiting == 0
    assert len(crowd.served) == 1
    assert await ended(crowd) == {}


async def test_one_too_many_is_refused_and_told_when_to_come_again():
    crowd = await filled(count=3, limits={"waiting": 3})

    refused = crowd.come()

    assert refused.status == 429
    assert b"retry-after: " in refused.head
    crowd.finish(crowd.served[0])
    await crowd.turn()
    assert not crowd.come().over
    assert await ended(crowd) == {}


@pytest.mark.parametrize("strategy", [pb.STRATEGY_LEAST_LOADED, ECT])
@pytest.mark.parametrize("rate", [0.0, -1.0, nan, inf, 1e12], ids=str)
async def test_rates_that_cannot_be_starve_nobody_and_promise_nothing_odd(rate, strategy):
    crowd = Crowd({"h/0": 1, "h/1": 1}, strategy=strategy)
    told = Told(
        "h/0",
        "m",
        prefill=rate,
        decode=((1, rate),),
        load_s=rate,
        answer=rate,
        bytes_per_token=rate,
        samples=1_000_000,
    )

    crowd.gateway.learned.tell([told])
    for size in (10, 3_000) * 4:
        crowd.come(size=size)
    for _ in range(8):
        await settled(crowd)
        for guest in crowd.served:
            crowd.finish(guest)

    assert [one.status for one in crowd.guests] == [200] * 8
    assert await ended(crowd) == {}


@pytest.mark.parametrize("milliseconds", ["0", "-1", "1e-300", "1e12", "1e999", '"x"', "null"])
async def test_timings_that_cannot_be_starve_nobody(milliseconds):
    crowd = Crowd({"h/0": 1})
    timings = (
        b'"timings":{"prompt_n":9,"prompt_ms":%b,"predicted_n":1000000000000,"predicted_ms":%b}'
    )
    answer = b'{"choices":[],%b}' % (timings % (milliseconds.encode(), milliseconds.encode()))

    for _ in range(3):
        crowd.come()
    for _ in range(3):
        await settled(crowd)
        for guest in crowd.served:
            crowd.finish(guest, answer)

    assert [one.status for one in crowd.guests] == [200] * 3
    assert await ended(crowd) == {}
