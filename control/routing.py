"""RoutingService: explains routes, pushes tables, exchanges loads. Translates only."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import NamedTuple, TypeVar

import grpc
from geniehive.v1 import routing_service_pb2 as pb
from geniehive.v1 import routing_service_pb2_grpc as pb_grpc
from google.protobuf.duration_pb2 import Duration

from control import answer_messages
from control.api.errors import InvalidValue, PeerTooSlow
from control.ejection_messages import ejection_message, ejections
from control.ejections import Ejection
from control.live import Loads
from control.lookout import Lookout
from control.membership import Membership
from control.ranking.speed import Speed
from control.speed_messages import speed_message, speeds
from control.speeds import Key
from control.streams import interleaved
from control.table.watch import Hub, Update
from control.table_messages import identity, update_message
from control.text import unprintable

LOAD_INTERVAL_S = 0.25
# A gateway that does not answer an update within this time is not served any more;
# how often that is looked at.
ACKNOWLEDGE_S, LOOK_S = 20.0, 5.0
MAX_NAME = 200
MAX_LOADS = 10_000
MAX_RATES, RATES_AT_ONCE = 200, 20
MAX_ENCODED_HERE = 100_000  # bytes, of a delta; more is encoded beside the event loop

Answer = TypeVar("Answer")


class Seen(NamedTuple):
    """What a gateway is told of a service: what others do there, and what waits inside.

    pending_ms: of prompts that others sent and that are not read yet. waiting: in other gateways.
    """

    in_flight: int
    queue_depth: int
    ejection: Ejection | None
    pending_ms: int
    waiting: int


class RoutingServicer(pb_grpc.RoutingServiceServicer):
    """See the comments of the service in the contract."""

    def __init__(
        self, membership: Membership, lookout: Lookout, routes: Hub, keys: Hub, loads: Loads
    ) -> None:
        self._membership = membership
        self._lookout = lookout
        self._routes = routes
        self._keys = keys
        self._loads = loads

    async def ResolveRoute(
        self,
        request: pb.ResolveRouteRequest,
        context: grpc.aio.ServicerContext[pb.ResolveRouteRequest, pb.ResolveRouteResponse],
    ) -> pb.ResolveRouteResponse:
        return await self._lookout.ask(partial(answer_messages.resolve, request))

    async def MatchRoutes(
        self,
        request: pb.MatchRoutesRequest,
        context: grpc.aio.ServicerContext[pb.MatchRoutesRequest, pb.MatchRoutesResponse],
    ) -> pb.MatchRoutesResponse:
        return await self._lookout.ask(partial(answer_messages.match, request))

    def WatchRoutes(
        self,
        request_iterator: AsyncIterator[pb.WatchRoutesRequest],
        context: grpc.aio.ServicerContext[pb.WatchRoutesRequest, pb.WatchRoutesResponse],
    ) -> AsyncIterator[pb.WatchRoutesResponse]:
        watches = (request.watch async for request in request_iterator)
        return _watch(self._routes, watches, lambda u: pb.WatchRoutesResponse(update=u))

    def WatchKeys(
        self,
        request_iterator: AsyncIterator[pb.WatchKeysRequest],
        context: grpc.aio.ServicerContext[pb.WatchKeysRequest, pb.WatchKeysResponse],
    ) -> AsyncIterator[pb.WatchKeysResponse]:
        watches = (request.watch async for request in request_iterator)
        return _watch(self._keys, watches, lambda u: pb.WatchKeysResponse(update=u))

    async def ExchangeLoad(
        self,
        request_iterator: AsyncIterator[pb.ExchangeLoadRequest],
        context: grpc.aio.ServicerContext[pb.ExchangeLoadRequest, pb.ExchangeLoadResponse],
    ) -> AsyncIterator[pb.ExchangeLoadResponse]:
        stream = object()
        never = asyncio.Event()
        said: dict[str, Seen] | None = None
        version = 0  # of speeds
        try:
            async with aclosing(interleaved(request_iterator, never, LOAD_INTERVAL_S)) as events:
                async for request in events:
                    if request is not None:
                        _check_gateway_id(request.gateway_id)
                        self._hear(stream, request)
                        await self._learn(request)
                    now = self._seen_by_others(stream)
                    version, changed = self._loads.speeds.since(version)
                    if request is not None or now != said or changed:
                        yield _load_message(now, changed)
                        said = now
        finally:
            self._loads.forget(stream)

    def _hear(self, stream: object, request: pb.ExchangeLoadRequest) -> None:
        """Take what a gateway tells."""
        told = request.loads[:MAX_LOADS]
        there = self._membership.service
        self._loads.tell(
            stream,
            {one.service_id: one.in_flight for one in told},
            ejections(told, there),
            pending={one.service_id: _milliseconds(one.pending_prefill) for one in told},
            waiting={one.service_id: one.waiting for one in told},
        )

    async def _learn(self, request: pb.ExchangeLoadRequest) -> None:
        """Take what a gateway measured of speeds, some at a time: 50 us each."""
        # Also where there are none: it looks at what may be forgotten, too.
        for first in range(0, min(len(request.rates), MAX_RATES) or 1, RATES_AT_ONCE):
            some = request.rates[first : first + RATES_AT_ONCE]
            self._loads.speeds.tell(request.gateway_id, speeds(some), self._membership.service)
            await asyncio.sleep(0)

    def _seen_by_others(self, stream: object) -> dict[str, Seen]:
        """Return what others see of services, where they see anything."""
        others, queued = self._loads.others(stream), self._membership.waiting
        ejections = self._loads.ejections.others(stream)
        in_flight, pending, waiting = others
        return {
            one: Seen(
                in_flight.get(one, 0),
                queued.get(one, 0),
                ejections.get(one),
                pending.get(one, 0),
                waiting.get(one, 0),
            )
            for one in {**in_flight, **queued, **ejections, **pending, **waiting}
        }


async def _watch(
    hub: Hub, watches: AsyncIterator[pb.Watch], answer: Callable[[pb.TableUpdate], Answer]
) -> AsyncIterator[Answer]:
    """Yield updates of a table, one for each acknowledgement, until the watcher is done."""
    hello = await anext(watches, None)
    if hello is None:
        return
    _check_gateway_id(hello.gateway_id)
    wants_all = hello.snapshot_wanted or not hello.HasField("held")
    watcher = hub.join(hello.gateway_id, None if wants_all else identity(hello.held))
    now = asyncio.get_running_loop().time
    sent_at = now()
    try:
        async with aclosing(interleaved(watches, watcher.wake, LOOK_S)) as events:
            watcher.wake.set()
            async for watch in events:
                if watch is not None:
                    watcher.acknowledge(dict(watch.unusable), snapshot_wanted=watch.snapshot_wanted)
                elif watcher.sent is not None and now() - sent_at > ACKNOWLEDGE_S:
                    raise PeerTooSlow(f"an update was not answered within {ACKNOWLEDGE_S:.0f} s")
                if (update := hub.due(watcher)) is not None:
                    yield answer(await _encoded(update))
                    sent_at = now()
    finally:
        hub.leave(watcher)


def _check_gateway_id(gateway_id: str) -> None:
    if not 1 <= len(gateway_id) <= MAX_NAME or unprintable(gateway_id):
        raise InvalidValue(f"gateway_id is not 1 to {MAX_NAME} plain characters")


async def _encoded(update: Update) -> pb.TableUpdate:
    # 1 ms for 100 kB: a snapshot of 10,000 services would hold up every heartbeat.
    if update.delta.size > MAX_ENCODED_HERE:
        return await asyncio.to_thread(update_message, update)
    return update_message(update)


def _milliseconds(told: Duration) -> int:
    return told.seconds * 1_000 + told.nanos // 1_000_000


def _load_message(
    seen: dict[str, Seen], changed: Iterable[tuple[Key, Speed]]
) -> pb.ExchangeLoadResponse:
    interval = Duration()
    interval.FromMilliseconds(int(LOAD_INTERVAL_S * 1000))
    return pb.ExchangeLoadResponse(
        loads=[_service_load(service_id, one) for service_id, one in seen.items()],
        interval=interval,
        rates=[speed_message(key, speed) for key, speed in changed],
    )


def _service_load(service_id: str, one: Seen) -> pb.ServiceLoad:
    message = pb.ServiceLoad(
        service_id=service_id,
        in_flight=one.in_flight,
        queue_depth=one.queue_depth,
        waiting=one.waiting,
        ejection=ejection_message(one.ejection) if one.ejection else None,
    )
    if one.pending_ms:
        message.pending_prefill.FromMilliseconds(one.pending_ms)
    return message
