"""Clients that leave at random: whatever the gateway was doing for them, nothing is left."""

import random

import pytest
from geniehive.v1 import routing_service_pb2 as pb

from tests.unit.gateway.crowd import Crowd

pytestmark = pytest.mark.anyio

CANCELS = 500
AT_ONCE = 40
STRATEGIES = {
    "least_loaded": pb.STRATEGY_LEAST_LOADED,
    "expected_completion": pb.STRATEGY_EXPECTED_COMPLETION,
}


async def cancelled(crowd: Crowd, cancels: int, draw: random.Random) -> None:
    """Let clients come and leave, so many of them, whatever happens to them in between."""
    here: list = []
    left = 0
    while left < cancels:
        here = [one for one in here if not one.over]
        if len(here) < AT_ONCE:
            priority = draw.choice(["low", "normal", "high", None])
            stream, size = draw.random() < 0.5, draw.choice([10, 3_000])
            asks = {"priority": priority, "stream": stream, "size": size}
            here.append(crowd.come(draw.choice("mn"), draw.choice("abc"), **asks))
            continue
        one = draw.choice(here)
        served = crowd.calls.get(one.number)
        at_service = served is not None and served.receiver is not None
        match draw.randrange(6 if at_service else 2):
            case 0 | 1:
                crowd.leave(one)
                left += 1
            case 2:
                crowd.begin(one)
            case 3:
                crowd.finish(one)
            case _:
                crowd.fail(one, draw.choice(["away", "lost", "busy"]))
        if draw.random() < 0.3:
            crowd.wait(draw.random())
        if draw.random() < 0.5:
            await crowd.turn()
    for one in here:
        crowd.leave(one)
    await crowd.turn()


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
async def test_hundreds_of_random_cancels_leave_nothing_behind(strategy):
    slots = {"h/0": 1, "h/1": 2, "h/2": 0}
    crowd = Crowd(slots, {"m": ["h/0", "h/1"], "n": ["h/1", "h/2"]}, strategy=strategy)

    await cancelled(crowd, CANCELS, random.Random(8))

    assert crowd.waiting == crowd.served == []
    assert not any(crowd.counters().values())
    assert [one for one in crowd.guests if one.ends > 1 or one.status == 500] == []
