"""Two models at an engine that holds one of them: who is served, and when it makes way."""

import pytest

from gateway.residency import LEAST_S, LOADS
from tests.unit.gateway.crowd import Crowd

pytestmark = pytest.mark.anyio

UNKNOWN_LOAD_S = 10.0  # as long as nothing was loaded
BOUND_S = max(LEAST_S, LOADS * UNKNOWN_LOAD_S) + 1.0


def two_models():
    """Return one engine with two slots that holds `one` and could hold `two`."""
    crowd = Crowd({"h/0": 2}, {"one": ["h/0"], "two": ["h/0"]}, absent=[("two", "h/0")])
    (upstream,) = crowd.gateway.routes.upstreams.values()
    upstream.loaded_assets = 1
    return crowd


async def finish(crowd, *guests):
    for guest in guests:
        crowd.finish(guest)
    await crowd.turn()


async def test_who_waits_for_another_model_keeps_no_slot_from_those_whose_model_is_there():
    crowd = two_models()
    first = crowd.come("one")
    for _ in range(3):
        crowd.come("two")
    await crowd.turn()
    second = crowd.come("one")
    await crowd.turn()

    assert crowd.served == [first, second]


async def test_a_model_is_loaded_when_nobody_needs_the_other():
    crowd = two_models()
    first, other = crowd.come("one"), crowd.come("two")
    await crowd.turn()
    assert crowd.served == [first]

    await finish(crowd, first)
    assert crowd.served == [other]


async def test_who_waits_for_long_is_let_in_once_the_engine_is_idle():
    crowd = two_models()
    serves = [crowd.come("one") for _ in range(2)]
    other = crowd.come("two")
    more = [crowd.come("one") for _ in range(2)]
    crowd.wait(BOUND_S)
    crowd.gateway.room.poke()
    await crowd.turn()

    await finish(crowd, serves[0])
    assert crowd.served == [serves[1]], "it is kept for who waits"
    await finish(crowd, serves[1])
    assert crowd.served == [other]
    assert crowd.waiting == more


async def test_a_model_that_was_loaded_stays_for_a_while_however_long_others_wait():
    """Else each would be dropped after as many requests as there are slots."""
    crowd = two_models()
    serves = [crowd.come("one") for _ in range(2)]
    others = [crowd.come("two") for _ in range(5)]
    more = [crowd.come("one") for _ in range(2)]
    crowd.wait(BOUND_S)
    crowd.gateway.room.poke()
    await crowd.turn()
    await finish(crowd, *serves)
    assert crowd.served == others[:1]

    for guest in others:
        crowd.wait(0.1)
        assert guest in crowd.served
        await finish(crowd, guest)
    assert crowd.served == more[:1]
