"""Answers scrapers: one text for all workers of a gateway, made beside the event loop."""

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import islice

from fastapi import APIRouter, Request
from fastapi.responses import Response

from control.api.families import CONTENT_TYPE, rendered
from control.api.loop_lag import LoopLag
from gateway import keys
from gateway.gateway import Gateway
from gateway.metrics import families
from gateway.retold import Retold, Told
from gateway.slots import Slots
from gateway.snapshot import Now, Snapshot, Speed
from gateway.steps import paced
from gateway.totals import MAX_SERVICES

PUBLISH_SECONDS = 1.0


class Scrape:
    """What `/metrics` tells; with `slots` of what all workers do. connections: of clients."""

    def __init__(
        self,
        gateway: Gateway,
        slots: Slots | None = None,
        connections: Callable[[], int] = lambda: 0,
    ) -> None:
        self._gateway = gateway
        self._slots = slots
        self._connections = connections
        self._lag = LoopLag(time.monotonic)
        self._retold = Retold(gateway.recent, gateway.active)
        self._rendering: asyncio.Task[bytes] | None = None
        if slots is not None and (left := slots.read(slots.number)):
            # The worker whose place we take counted so far, and scrapers have seen it.
            before = Snapshot.read(left)
            gateway.totals.add([before.totals])
            gateway.refused.update(before.refused)
            gateway.retry_budget.retried += before.retried
            gateway.retry_budget.denied += before.retries_denied
            gateway.room.waited.add(before.waited)
            self._retold.inherit(Told(before.requests))

    async def run(self) -> None:
        """Let siblings know how this worker is, once a second, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lag.run())
            while self._slots is not None:
                await paced(self._retold.renew())
                self._publish()
                await asyncio.sleep(PUBLISH_SECONDS)

    def told(self) -> list[bytes]:
        """Return what each worker told last, if there are several."""
        return [] if self._slots is None else [one for one in self._slots.read_all() if one]

    async def text(self) -> bytes:
        """Return the metrics for a scraper; who asks while they are made gets the same."""
        if self._rendering is None:
            self._rendering = asyncio.create_task(self._text())
            self._rendering.add_done_callback(self._rendered)
        return await asyncio.shield(self._rendering)

    def _rendered(self, _: asyncio.Task[bytes]) -> None:
        self._rendering = None

    async def _text(self) -> bytes:
        ours = self._publish()
        # As published, ours too: nobody sees a sum that would die with its worker.
        told = self.told()

        def made() -> bytes:
            all_told = [Snapshot.read(content) for content in told] or [ours]
            return rendered(families(all_told, ours.now.at))

        # 60 ms for what 200 services have to tell, 1 ms more for each worker.
        return await asyncio.to_thread(made)

    def _publish(self) -> Snapshot:
        snapshot = self._snapshot()
        if self._slots is not None:
            self._slots.write(snapshot.written())
        return snapshot

    def _snapshot(self) -> Snapshot:
        gateway = self._gateway
        upstreams = gateway.routes.upstreams.values()
        held, true_at = gateway.route_table.identity, gateway.true_at
        now = Now(
            at=time.monotonic(),
            in_flight=gateway.in_flight(),
            ejected=list(islice(gateway.rotation.ejections(gateway.clock()), MAX_SERVICES)),
            resting=gateway.rotation.resting,
            speeds=list(islice(_speeds(gateway), MAX_SERVICES)),
            slots={one.service_id: one.capacity.slots for one in islice(upstreams, MAX_SERVICES)},
            waiting=gateway.room.waiting,
            active=gateway.admission.under_way,
            most=gateway.limits.requests,
            held=gateway.admission.held,
            connections=self._connections(),
            idle=sum(one.idle for one in upstreams),
            connected=gateway.control_connected,
            age=None if true_at is None else max(0.0, time.time() - true_at),
            version=None if held is None else held.version,
            routed=len(upstreams),
            lag=self._lag.quantile(0.99),
        )
        totals = gateway.totals.with_(gateway.meter.waits(), time.time())
        refused, retries = gateway.refused.copy(), gateway.retry_budget
        requests = self._retold.lines()
        return Snapshot(
            now, totals, refused, retries.retried, retries.denied, gateway.room.waited, requests
        )


def _speeds(gateway: Gateway) -> Iterator[Speed]:
    """Yield what is known of how fast services are."""
    for service_id in gateway.routes.upstreams:
        for told in gateway.learned.known(service_id):
            decode = next((speed for beside, speed in told.decode if beside == 1), None)
            if told.prefill is not None or decode is not None:
                yield Speed(service_id, told.asset_id, told.prefill, decode, told.samples)


def router(gateway: Gateway, scrape: Scrape) -> APIRouter:
    """Return the path `/metrics`, for whoever may ask for models."""
    paths = APIRouter()

    @paths.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        """Tell what this gateway did and how it is, all its workers together, for Prometheus."""
        gateway.keys.principal(keys.presented(request.headers.raw))
        return Response(await scrape.text(), media_type=CONTENT_TYPE)

    return paths
