"""A gateway's view of the route table, and when it has which state."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from geniehive.v1 import routing_service_pb2 as pb
from geniehive.v1 import routing_service_pb2_grpc as pb_grpc

from control.api.channel import aio_channel
from gateway.config import Ejection
from gateway.resources import Resource, read_resource
from gateway.rotation import Rotation
from gateway.routes import Routes
from gateway.steps import paced
from gateway.table import Replica, SnapshotWanted
from gateway.upstream import Upstream

RETRY_SECONDS = 0.2
GATEWAY_ID = "bench"


class Watcher:
    """Follows control's routes as a gateway does, but sends nothing anywhere."""

    def __init__(self) -> None:
        self.table: Replica[Resource] = Replica(read_resource)
        rotation = Rotation(Ejection(), random.random)
        self.routes = Routes(
            lambda service_id, origin: Upstream(
                service_id, origin, time.monotonic, rotation.breaker(service_id)
            )
        )
        self.received = 0  # bytes of all updates
        self.settled_at = 0  # since when absence counts, by `time.perf_counter_ns`
        self._applied_at = self._changed_at = time.perf_counter_ns()
        self._applied = asyncio.Event()

    async def until(self, fact: Callable[[Routes], bool]) -> int:
        """Return when `fact` became true of the routes, by `time.perf_counter_ns`."""
        while not fact(self.routes):
            self._applied.clear()
            await self._applied.wait()
        return self._applied_at

    async def rest(self, seconds: float) -> int:
        """Wait until nothing came for so long; return when the last change was applied."""
        while True:
            self._applied.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._applied.wait()
            except TimeoutError:
                return self._changed_at

    async def follow(self, address: str) -> None:
        """Follow the routes of the control at `address` until cancelled, whatever becomes of it."""
        async with aio_channel(address) as channel:
            stub = pb_grpc.RoutingServiceStub(channel)
            wanted = False
            while True:
                try:
                    async for update in _updates(stub, self.table, snapshot_wanted=wanted):
                        await self._apply(update)
                        wanted = False
                except SnapshotWanted:
                    wanted = True
                except grpc.RpcError:
                    await asyncio.sleep(RETRY_SECONDS)

    async def _apply(self, update: pb.TableUpdate) -> None:
        self.received += update.ByteSize()
        was_settled = self.table.settled
        applied = await paced(self.table.applying(update))
        await paced(self.routes.follow(self.table, applied.names))
        self._applied_at = time.perf_counter_ns()
        if self.table.settled != was_settled:
            self.settled_at = self._applied_at
        if update.upserts or update.tombstones:
            self._changed_at = self._applied_at
        self._applied.set()


async def _updates(
    stub: Any, table: Replica[Resource], *, snapshot_wanted: bool
) -> AsyncIterator[pb.TableUpdate]:
    """Yield what control pushes; each is acknowledged when the next is asked for."""
    stream = stub.WatchRoutes()
    try:
        while True:
            watch = pb.Watch(
                gateway_id=GATEWAY_ID, held=table.identity, snapshot_wanted=snapshot_wanted
            )
            await stream.write(pb.WatchRoutesRequest(watch=watch))
            snapshot_wanted = False
            response = await stream.read()
            if not isinstance(response, pb.WatchRoutesResponse):
                return
            yield response.update
    finally:
        stream.cancel()
