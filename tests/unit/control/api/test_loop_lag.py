"""How late an event loop wakes."""

import asyncio
import time

import pytest

from control.api.loop_lag import KEPT, LoopLag


def test_nothing_seen_is_no_lag():
    assert LoopLag(time.monotonic).quantile(0.99) == 0.0


def test_the_last_minute_counts_and_early_is_not_late():
    lag = LoopLag(time.monotonic)
    for late in (9.0, *[-1.0] * (KEPT - 10), *[0.5] * 10):
        lag.note(late)

    assert lag.quantile(0.5) == 0.0
    assert lag.quantile(0.99) == lag.quantile(1.0) == 0.5


@pytest.mark.anyio
async def test_a_loop_that_is_held_up_is_seen(monkeypatch):
    monkeypatch.setattr("control.api.loop_lag.INTERVAL_S", 0.001)
    lag = LoopLag(time.monotonic)
    looking = asyncio.create_task(lag.run())
    await asyncio.sleep(0)
    time.sleep(0.05)  # noqa: ASYNC251  # what is to be seen
    while not lag.quantile(1.0):  # noqa: ASYNC110  # no event tells it
        await asyncio.sleep(0.001)
    looking.cancel()

    assert lag.quantile(1.0) > 0.03
