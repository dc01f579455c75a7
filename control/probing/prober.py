"""Probes the services of hosts that are there, each at its own pace, a bounded number at once."""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from control.inventory import HostState, Service
from control.members import Member, Offer
from control.membership import Membership
from control.probing import targets
from control.probing.asking import Door, NoAnswer, get
from control.probing.names import Names
from control.probing.samples import Finding, HealthSample
from control.probing.schedule import Schedule
from control.probing.verdict import finding, silence

log = logging.getLogger(__name__)

MAX_AT_ONCE = 64
# Turns are looked for no more often than the first, and no less than the second. What
# begins together is a burst for the event loop; a service may come at any time.
TICK_S, IDLE_S = 0.010, 0.250
# A probe that took so much longer than it may tells that control itself stood still.
LATE_S = 1.0
# What was probed of a service is forgotten when it could not be for so many intervals.
STALE_INTERVALS = 3


class Audience(Protocol):
    """Who is told what probes find."""

    def probed(self, service: Service, sample: HealthSample) -> None:
        """Take a sample; `service` as it was when it was asked."""

    def unprobed(self, service_id: str) -> None:
        """Forget what was probed of a service: its host is away for too long."""


class Prober:
    """Knows whose turn it is. interval: seconds between two probes of a service; 0 for never.

    timeout: seconds that a probe takes at most. in_flight: of a service, at all gateways.
    jitter: returns 0 to 1, random. wall_time: seconds since 1970.
    """

    def __init__(
        self,
        membership: Membership,
        interval: float,
        timeout: float,
        in_flight: Callable[[str], int],
        jitter: Callable[[], float],
        now: Callable[[], float] = time.monotonic,
        wall_time: Callable[[], float] = time.time,
    ) -> None:
        self._membership = membership
        self._interval = interval
        self._timeout = timeout
        self._in_flight = in_flight
        self._now = now
        self._wall_time = wall_time
        self._schedule = Schedule(interval, jitter)
        self._away: dict[str, float] = {}  # since when their hosts are; the longest first
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._names = Names()

    def follow(self, service_ids: Iterable[str]) -> None:
        """Take note that services came, changed or went, or that their hosts did."""
        if not self._interval:
            return
        now = self._now()
        for service_id in service_ids:
            found = self._membership.offer(service_id)
            if found is not None and _reached(*found):
                self._schedule.add(service_id, now)
                self._away.pop(service_id, None)
                continue
            self._schedule.remove(service_id)
            if found is None:
                self._away.pop(service_id, None)
            elif self._membership.probes.of(service_id):
                self._away.setdefault(service_id, now)

    async def run(self, audience: Audience) -> None:
        """Probe until cancelled."""
        if not self._interval:
            return
        # Reading the authorities of the system takes some 20 ms.
        context = await asyncio.to_thread(ssl.create_default_context)
        async with asyncio.TaskGroup() as group:
            while True:
                self._forget_stale(audience)
                while not self._slots.locked() and (name := self._schedule.take(self._now())):
                    await self._slots.acquire()
                    group.create_task(self._turn(name, audience, context))
                wait = self._schedule.wait(self._now())
                await asyncio.sleep(min(max(wait, TICK_S), IDLE_S))

    async def _turn(self, service_id: str, audience: Audience, context: ssl.SSLContext) -> None:
        began = self._now()
        try:
            found = self._membership.offer(service_id)
            if found is None:
                return
            sample = await self._probe(found[1], context)
            if sample.latency is not None or self._now() - began <= self._timeout + LATE_S:
                audience.probed(found[1].service, sample)
        except Exception:  # the one edge: whatever a service provokes, others are probed on
            log.exception("probing %s broke", service_id)
        finally:
            self._schedule.again(service_id, began)
            self._slots.release()

    async def _probe(self, offer: Offer, context: ssl.SSLContext) -> HealthSample:
        began, observed_time = self._now(), self._wall_time()
        found, answered = await self._found(offer.service, context)
        return HealthSample(
            found,
            observed_time,
            self._now() - began if answered else None,
            self._in_flight(offer.service.service_id),
            offer.observation.queue_depth,
        )

    async def _found(self, service: Service, context: ssl.SSLContext) -> tuple[Finding, bool]:
        """Return what a service shows, and whether it answered at all."""
        door = Door(service.endpoint, service.api_key)
        replies = []
        try:
            async with asyncio.timeout(self._timeout):
                path: str | None = targets.first(service.engine)
                while path is not None:
                    reply = await get(door, path, context, self._names)
                    replies.append(reply)
                    more = len(replies) == 1
                    path = (
                        targets.second(service.engine, reply.status, reply.body) if more else None
                    )
        except TimeoutError:
            return silence(f"sends no answer within {self._timeout:g} s"), False
        except NoAnswer as error:
            return silence(str(error)), False
        return finding(replies, with_key=bool(service.api_key)), True

    def _forget_stale(self, audience: Audience) -> None:
        """Forget services whose hosts are away for too long; what they were is no news any more."""
        over = self._now() - STALE_INTERVALS * self._interval
        while self._away and (first := next(iter(self._away))) and self._away[first] <= over:
            del self._away[first]
            audience.unprobed(first)


def _reached(member: Member, offer: Offer) -> bool:
    """Return whether control can ask a service; one behind its node's relay only gateways can."""
    return member.state is HostState.ONLINE and offer.service.endpoint.relay is None
