"""How a fleet of 10,000 comes back: every node for itself, in its own virtual time."""

import asyncio
import contextlib
import logging
import random
from collections import Counter

import pytest

from control.api.errors import ControlUnavailable, LeaseLost
from node.session import Answer, Grant, Pace, Session, StreamEnded
from node.state import Host, Metrics, Report

PACE = Pace(interval=22.0, lease=66.0, reconnect_window=37.0)  # as control tells 10,000 hosts
NODES = 1_000  # each stands for ten
REPORT = Report(Host("h"), Metrics(0.0, 1), ())
BUCKET_S = 5.0


class Back(Exception):
    """The node is registered again."""


class Life:
    """A node that was registered when control died, at 0, and control from then on."""

    def __init__(self, back_at, seed):
        self.random = random.Random(seed)
        self.back_at = back_at
        self.now = -PACE.interval * self.random.random()
        self.first = True

    async def sleep(self, seconds):
        self.now += seconds

    async def register(self, report):
        if self.first:
            return Grant(1, PACE)
        self._reach()
        raise Back

    async def hang_up(self):
        pass

    @contextlib.asynccontextmanager
    async def stream(self):
        yield self

    async def beat(self, beat, patience):
        if self.first:
            self.first = False
            return Answer(PACE)
        if beat.sequence == 2:
            raise StreamEnded("died")
        self._reach()
        raise LeaseLost("a control that has just started")

    def _reach(self):
        if self.now < self.back_at:
            raise ControlUnavailable("refused")

    async def return_(self):
        """Return after how many seconds of control's new life the node is registered again."""
        session = Session(
            self,
            lambda: REPORT,
            asyncio.Event(),
            sleep=self.sleep,
            jitter=self.random.random,
            now=lambda: self.now,
        )
        with contextlib.suppress(Back):
            await session.run()
        return self.now - self.back_at


@pytest.mark.anyio
@pytest.mark.parametrize("down", [0.5, 10.0, 600.0])
async def test_all_are_back_within_a_minute_and_never_twice_as_many_as_on_average(down, caplog):
    caplog.set_level(logging.ERROR)
    returns = [await Life(down, seed).return_() for seed in range(NODES)]
    crowd = Counter(int(seconds / BUCKET_S) for seconds in returns)
    mean = NODES / (max(returns) / BUCKET_S)

    assert max(returns) <= 60.0
    assert max(crowd.values()) <= 2 * mean
