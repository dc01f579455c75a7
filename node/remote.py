"""Control over gRPC: the only file of the node that makes calls."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import grpc
from geniehive.v1 import registry_service_pb2 as pb
from geniehive.v1 import registry_service_pb2_grpc as pb_grpc

from control.api import auth
from control.api.channel import control_errors
from control.api.errors import ControlUnavailable
from node.session import Answer, Beat, Grant, StreamEnded
from node.state import Report
from node.wire import beat_message, host_message, machine_message, pace_of, service_message

CALL_SECONDS = 5.0

Call = grpc.aio.StreamStreamCall[pb.StreamHeartbeatsRequest, pb.StreamHeartbeatsResponse]


class GrpcRemote:
    """Control behind a channel. `instance_id` is random, made at the start of the process.

    renew: returns another channel to the same control; without it the channel is
    somebody else's, too, and is never closed.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        instance_id: str,
        node_key: str | None,
        renew: Callable[[], grpc.aio.Channel] | None = None,
    ) -> None:
        self._channel = channel
        self._renew = renew
        self._stub = pb_grpc.RegistryServiceStub(channel)
        self._instance_id = instance_id
        self._metadata = auth.metadata("node", node_key)

    async def register(self, report: Report) -> Grant:
        """Register the host with all its services.

        Raises:
            GenieHiveError: what control raised, or `ControlUnavailable`.
        """
        request = pb.RegisterHostRequest(
            host=host_message(report.host, report.metrics),
            instance_id=self._instance_id,
            services=[service_message(one) for one in report.services],
            machine=machine_message(report.machine) if report.machine else None,
        )
        with control_errors():
            response = await self._stub.RegisterHost(
                request, timeout=CALL_SECONDS, metadata=self._metadata
            )
        return Grant(response.lease.generation, pace_of(response.pace))

    @contextlib.asynccontextmanager
    async def stream(self) -> AsyncIterator["GrpcStream"]:
        """Open a stream of beats, and cancel it when done with it."""
        call = self._stub.StreamHeartbeats(metadata=self._metadata)
        try:
            yield GrpcStream(call, self._instance_id)
        finally:
            call.cancel()

    async def hang_up(self) -> None:
        """Drop the connection; nothing reaches for control until the next call.

        A channel that could not connect tries again every two seconds by itself:
        a fleet would knock all at once as soon as control is back, whatever pace
        control told.
        """
        if self._renew is not None:
            # First the new one: a node that is stopped meanwhile gives its lease back by it.
            gone, self._channel = self._channel, self._renew()
            self._stub = pb_grpc.RegistryServiceStub(self._channel)
            await gone.close()

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def deregister(self, host_id: str, generation: int) -> None:
        """Give the lease back.

        Raises:
            GenieHiveError: what control raised, or `ControlUnavailable`.
        """
        lease = pb.Lease(host_id=host_id, instance_id=self._instance_id, generation=generation)
        request = pb.DeregisterHostRequest(host_id=host_id, lease=lease)
        with control_errors():
            await self._stub.DeregisterHost(request, timeout=CALL_SECONDS, metadata=self._metadata)


class GrpcStream:
    """An open stream: one beat out, one answer in."""

    def __init__(self, call: Call, instance_id: str) -> None:
        self._call = call
        self._instance_id = instance_id
        self._answered = False

    async def beat(self, beat: Beat, patience: float) -> Answer:
        """Send a beat and return its answer; see `node.session.Stream`."""
        try:
            async with asyncio.timeout(patience):
                response = await self._exchange(beat)
        except TimeoutError as error:
            message = f"no answer to a beat within {patience:.1f} s"
            raise ControlUnavailable(message) from error
        except ControlUnavailable as error:
            if self._answered:
                raise StreamEnded(str(error)) from error
            raise
        self._answered = True
        return Answer(
            pace=pace_of(response.pace),
            wanted=frozenset(response.wanted_service_ids),
            refused=dict(response.refused_services),
            in_flight=response.in_flight,
        )

    async def _exchange(self, beat: Beat) -> pb.StreamHeartbeatsResponse:
        lease = pb.Lease(
            host_id=beat.report.host.host_id,
            instance_id=self._instance_id,
            generation=beat.generation,
        )
        request = pb.StreamHeartbeatsRequest(heartbeat=beat_message(beat, lease))
        with control_errors():
            # A call that is over refuses a write; the read below tells how it ended.
            if not self._call.done():
                await self._call.write(request)
            while True:
                response = await self._call.read()
                if not isinstance(response, pb.StreamHeartbeatsResponse):
                    raise ControlUnavailable("control ended the stream")
                if response.sequence >= beat.sequence:
                    return response
