"""Control as a node sees it, which only notes when each heartbeat comes, and what it says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from geniehive.v1 import registry_service_pb2 as pb
from geniehive.v1 import registry_service_pb2_grpc as rpc


@dataclass(slots=True)
class Beats:
    """What came so far; times in seconds of the loop's clock. services: as registered."""

    interval: float
    address: str = ""
    at: list[float] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)  # observation by service
    services: dict[str, Any] = field(default_factory=dict)

    def late(self, since: float = 0.0) -> list[float]:
        """Return by how much each beat from then on came later than it should have, in seconds.

        One that comes early tells of a change; the next one is due after it.
        """
        pairs = zip(self.at, self.at[1:], strict=False)
        return [
            max(0.0, after - before - self.interval) for before, after in pairs if after > since
        ]


class Registry(rpc.RegistryServiceServicer):
    def __init__(self, beats: Beats) -> None:
        self._beats = beats

    async def RegisterHost(self, request: Any, context: Any) -> pb.RegisterHostResponse:
        self._beats.services.update({one.service_id: one for one in request.services})
        return pb.RegisterHostResponse(lease=pb.Lease(generation=1), pace=self._pace())

    async def StreamHeartbeats(
        self, requests: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[pb.StreamHeartbeatsResponse]:
        loop = asyncio.get_running_loop()
        async for request in requests:
            self._beats.at.append(loop.time())
            beat = request.heartbeat
            self._beats.seen.append({one.service_id: one.observation for one in beat.services})
            for one in beat.services:
                if one.HasField("definition"):
                    self._beats.services[one.service_id] = one.definition
            yield pb.StreamHeartbeatsResponse(sequence=beat.sequence, pace=self._pace())

    async def DeregisterHost(self, request: Any, context: Any) -> pb.DeregisterHostResponse:
        return pb.DeregisterHostResponse()

    def _pace(self) -> pb.Pace:
        pace = pb.Pace()
        pace.heartbeat_interval.FromMilliseconds(int(self._beats.interval * 1000))
        return pace


@asynccontextmanager
async def metronome(interval: float) -> AsyncIterator[Beats]:
    """Take heartbeats, `interval` seconds apart, until the block ends."""
    beats = Beats(interval)
    server = grpc.aio.server()
    rpc.add_RegistryServiceServicer_to_server(Registry(beats), server)  # type: ignore[no-untyped-call]
    beats.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield beats
    finally:
        await server.stop(None)
