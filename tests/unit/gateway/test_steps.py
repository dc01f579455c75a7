"""Long work gives way to others, and is whole in the end."""

import asyncio
from weakref import WeakSet

import pytest

from gateway.steps import SLICE_SECONDS, finished, freed, paced


def work(steps, done):
    for step in range(steps):
        done.append(step)
        yield
    return "result"


def test_all_steps_at_once():
    done = []

    assert finished(work(3, done)) == "result"
    assert done == [0, 1, 2]


class Thing:
    """Something that can be let go."""


def test_things_are_freed_one_by_one():
    held = [Thing() for _ in range(3)]
    alive = WeakSet(held)

    assert [len(alive) for _ in freed(held)] == [2, 1, 0]


@pytest.mark.anyio
async def test_others_run_after_each_slice():
    done, seen = [], []
    now = 0.0

    def clock():
        nonlocal now
        now += SLICE_SECONDS / 2
        return now

    async def other():
        while len(done) < 6:
            seen.append(len(done))
            await asyncio.sleep(0)

    watching = asyncio.create_task(other())
    assert await paced(work(6, done), clock) == "result"
    await watching

    assert seen == [2, 4]


@pytest.mark.anyio
async def test_steps_are_not_taken_once_cancelled():
    done = []
    task = asyncio.create_task(paced(work(100, done), iter(range(100)).__next__))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(done) == 1
