"""R30: a service that comes and goes does not shake the routes, and is back once it stays."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from geniehive.v1 import inventory_pb2 as inventory

from tests.chaos.calls import calling, service
from tests.chaos.following import Follower
from tests.chaos.load import OpenLoad
from tests.chaos.promise import Figure, Promise, none, seconds, told
from tests.chaos.world import MODELS, World, world
from tests.processes import wait_until

RATE = 20.0
MINUTE_S = 60.0
CHANGES = 6  # of the routes, in a minute
BACK_S = 120.0
TARGET = f"target/chat/{MODELS[0]}"
HOST, SERVICE = "flapping", "flapping/s"
ILL = inventory.ServiceObservation(health=inventory.HEALTH_UNHEALTHY)
WELL = inventory.ServiceObservation(health=inventory.HEALTH_HEALTHY)


def run(folder: Path, *, period: float, duration: float, wait_for_it: bool) -> list[Figure]:
    """Let a service toggle every `period` seconds beside a steady one, under load.

    wait_for_it: whether to stay until it is routed to again.
    """
    with world(folder, grace_s=0) as here:
        return asyncio.run(_measure(here, period, duration, wait_for_it))


async def _measure(here: World, period: float, duration: float, wait_for_it: bool) -> list[Figure]:
    load = OpenLoad(here.url, MODELS, RATE)
    running = asyncio.create_task(load.run())
    figures = await asyncio.to_thread(_flap, here, period, duration, wait_for_it)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return [
        *figures,
        told("requests beside it", len(load.samples)),
        none("of them failed", load.failed),
    ]


def _flap(here: World, period: float, duration: float, wait_for_it: bool) -> list[Figure]:
    engine = f"127.0.0.1:{here.engine.port()}"
    changes: list[float] = []
    follower = Follower(here.control.port())
    with calling(here.control.port()) as calls, follower.following():
        lease = calls.register(HOST, [service(SERVICE, engine, [MODELS[0]])])
        wait_until(lambda: _routable(here) == 2, BACK_S, "it is routed to")
        wait_until(lambda: here.health().settled, BACK_S, "settled")
        wait_until(lambda: follower.updates > 0, BACK_S, "the routes are followed")
        begin, sequence, known = time.monotonic(), 0, follower.touched[TARGET]
        while (now := time.monotonic()) < begin + duration:
            sequence += 1
            calls.beat(lease, sequence, [SERVICE], ILL if sequence % 2 else WELL)
            time.sleep(period)
            changes += [now] * (follower.touched[TARGET] - known)
            known = follower.touched[TARGET]
        ended = time.monotonic()
        while wait_for_it and _routable(here) < 2 and time.monotonic() < ended + BACK_S:
            sequence += 1
            calls.beat(lease, sequence, [SERVICE], WELL)
            time.sleep(1)
        back = time.monotonic() - ended
    return [
        told("toggles", sequence),
        Figure(
            "changes of the route of a name that others serve, in the fullest minute",
            _fullest(changes),
            at_most=CHANGES,
        ),
        *([seconds("until it is routed to again", back, at_most=BACK_S)] if wait_for_it else []),
    ]


def _routable(here: World) -> int:
    return int(here.health().routable_service_count)


def _fullest(moments: list[float]) -> int:
    """Return how many moments are within one minute, at most."""
    return max((sum(0 <= at - first < MINUTE_S for at in moments) for first in moments), default=0)


PROMISE = Promise(
    run,
    short={"period": 0.3, "duration": 2.4, "wait_for_it": False},
    full={"period": 2.0, "duration": 300.0, "wait_for_it": True},
)
