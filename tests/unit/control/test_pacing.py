import asyncio

import pytest

from control.api.errors import RateLimited
from control.pacing import MAX_LOOKS, SLICE_S, Looks

pytestmark = pytest.mark.anyio


async def walk(looks, things, seen, step=lambda: None):
    async with looks.turn() as rest:
        for thing in things:
            seen.append(thing)
            step()
            await rest()


async def test_others_run_after_each_slice_of_time_and_not_more_often():
    time = [0.0]
    looks = Looks(clock=lambda: time[0])
    seen, others = [], []

    def step():
        time[0] += SLICE_S / 4

    async def other():
        while len(seen) < 12:
            others.append(len(seen))
            await asyncio.sleep(0)

    await asyncio.gather(walk(looks, range(12), seen, step), other())
    assert others == [4, 8]


async def test_one_looks_after_the_other():
    looks, seen = Looks(clock=iter(range(1_000)).__next__), []  # every rest is one
    await asyncio.gather(*(walk(looks, [name] * 5, seen) for name in "abc"))

    assert "".join(seen) == "aaaaabbbbbccccc"


async def test_too_many_are_refused_and_those_before_them_are_not():
    looks = Looks()
    async with looks.turn():
        waiting = [asyncio.create_task(walk(looks, [1], [])) for _ in range(MAX_LOOKS - 1)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimited):
            await walk(looks, [1], [])
    await asyncio.gather(*waiting)

    await walk(looks, [1], seen := [])
    assert seen == [1]


async def test_who_leaves_gives_the_turn_away():
    looks = Looks()
    async with looks.turn():
        leaving = asyncio.create_task(walk(looks, [1], []))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving

    async with asyncio.timeout(5):
        await walk(looks, [1], [])
