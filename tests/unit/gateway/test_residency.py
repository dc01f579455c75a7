"""Two models at an engine that holds one of them: who is served, and when it makes way."""

import math

import pytest

from control.api.strategies import Strategy
from gateway.config import Ejection
from gateway.rates import Learned
from gateway.residency import DOUBT_S, LEAST_S, LOADS
from gateway.rotation import Rotation
from gateway.route import Choice, Route
from tests.unit.gateway.crowd import Crowd
from tests.unit.gateway.pushed import StubUpstream

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


def resident(strategy, *choices):
    """Return the services that are left of choices: (service, asset, whether it is absent)."""
    rotation, learned = Rotation(Ejection(), lambda: 0.5), Learned()
    route = Route()
    route.strategy = strategy
    upstreams = {}
    for service_id, asset, loaded, absent in choices:
        upstream = upstreams[service_id] = StubUpstream(service_id, None)
        upstream.loaded_assets = loaded
        rates = learned.rates(service_id, asset)
        choice = Choice(upstream, asset.encode(), b"", 0.5, 0, 0.0, None, rates, absent)
        route.change({service_id: choice})
    return [one.upstream.service_id for one in rotation.residency.left_of(route).choices]


@pytest.mark.parametrize("strategy", Strategy)
def test_what_one_holds_no_other_drops_a_model_for(strategy):
    choices = [("h/a", "m", 1, False), ("h/b", "m", 1, True)]

    assert resident(strategy, *choices) == ["h/a"]
    assert resident(strategy, *choices[1:]) == ["h/b"]


def test_an_empty_memory_is_filled_where_it_is_reckoned_what_that_takes():
    choices = [("h/a", "m", 1, False), ("h/b", "m", 0, True)]

    assert resident(Strategy.EXPECTED_COMPLETION, *choices) == ["h/a", "h/b"]
    assert resident(Strategy.SCORED, *choices) == ["h/a"]


def test_another_model_that_is_there_is_no_reason_against_the_one_that_is_preferred():
    choices = [("h/a", "good", 1, True), ("h/b", "other", 1, False)]

    assert resident(Strategy.SCORED, *choices) == ["h/a", "h/b"]


async def test_a_model_that_is_back_is_there_from_its_first_token_on_though_the_table_is_older():
    crowd = two_models()
    crowd.finish(crowd.come("two"))
    crowd.gateway.learned.rates("h/0", "one")._due_at = math.inf  # nothing of it is measured
    first = crowd.come("one", stream=True)
    second = crowd.come("one")
    await crowd.turn()
    assert crowd.served == [first]

    crowd.begin(first)
    await crowd.turn()
    assert crowd.served == [first, second]


async def test_a_load_is_not_doubted_while_it_takes_longer_than_usual():
    crowd = two_models()
    other = crowd.come("two")
    crowd.wait(5 * DOUBT_S)
    late = crowd.come("one")
    await crowd.turn()
    assert crowd.served == [other], "what the table tells is older than the load"

    await finish(crowd, other)
    assert crowd.served == [late]
