"""RegistryService: translates between nodes' messages and the cluster; decides nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from functools import lru_cache

import grpc
from geniehive.v1 import inventory_pb2 as inventory_pb
from geniehive.v1 import registry_service_pb2 as pb
from geniehive.v1 import registry_service_pb2_grpc as pb_grpc
from google.protobuf.duration_pb2 import Duration

from control import machine_messages, messages
from control.admission import MAX_TEXT
from control.api.errors import InvalidValue, OperationNotAllowed, PeerTooSlow
from control.cluster import Cluster
from control.members import Answer, Beat, Lease, Offer
from control.pace import Pace
from control.principals import ANYONE, caller
from control.scopes import Scope

FIRST_BEAT_S = 10.0
# A node that is silent for so many leases has left its stream without a word.
LEASES = 2


class RegistryServicer(pb_grpc.RegistryServiceServicer):
    """See the comments of the service in the contract."""

    def __init__(self, cluster: Cluster, key_refusal: str | None = None) -> None:
        """key_refusal: why engines' own keys are not taken here; None: they are."""
        self._cluster = cluster
        self._key_refusal = key_refusal

    async def RegisterHost(
        self,
        request: pb.RegisterHostRequest,
        context: grpc.aio.ServicerContext[pb.RegisterHostRequest, pb.RegisterHostResponse],
    ) -> pb.RegisterHostResponse:
        principal = caller.get()
        key_id = "" if principal.kind == ANYONE.kind else principal.id
        host = replace(messages.host(request.host), node_key_id=key_id)
        self._check_keys(request.services)
        offers = [
            Offer(messages.service(one, host.host_id), messages.observation(one.observation))
            for one in request.services
        ]
        lease, pace = await self._cluster.register(
            host, request.instance_id, offers, machine_messages.machine(request)
        )
        return pb.RegisterHostResponse(lease=_lease_message(lease), pace=_pace_message(pace))

    async def StreamHeartbeats(
        self,
        request_iterator: AsyncIterator[pb.StreamHeartbeatsRequest],
        context: grpc.aio.ServicerContext[pb.StreamHeartbeatsRequest, pb.StreamHeartbeatsResponse],
    ) -> AsyncIterator[pb.StreamHeartbeatsResponse]:
        membership = self._cluster.membership
        lease: Lease | None = None
        patience = FIRST_BEAT_S
        try:
            while (request := await _next(request_iterator, patience)) is not None:
                beat = self._beat(request.heartbeat)
                if lease is None:
                    membership.open_stream(beat.lease)
                    lease = beat.lease
                elif lease != beat.lease:
                    raise InvalidValue("a stream carries the beats of one lease; open another one")
                answer = self._cluster.beat(beat)
                patience = max(FIRST_BEAT_S, LEASES * answer.pace.lease)
                yield pb.StreamHeartbeatsResponse(
                    sequence=beat.sequence,
                    pace=_pace_message(answer.pace),
                    wanted_service_ids=answer.wanted,
                    refused_services=answer.refused,
                    in_flight=answer.in_flight,
                )
        finally:
            if lease is not None:
                membership.close_stream(lease)

    async def SendHeartbeat(
        self,
        request: pb.SendHeartbeatRequest,
        context: grpc.aio.ServicerContext[pb.SendHeartbeatRequest, pb.SendHeartbeatResponse],
    ) -> pb.SendHeartbeatResponse:
        answer: Answer = self._cluster.beat(self._beat(request.heartbeat))
        return pb.SendHeartbeatResponse(
            pace=_pace_message(answer.pace),
            wanted_service_ids=answer.wanted,
            refused_services=answer.refused,
            in_flight=answer.in_flight,
        )

    async def DeregisterHost(
        self,
        request: pb.DeregisterHostRequest,
        context: grpc.aio.ServicerContext[pb.DeregisterHostRequest, pb.DeregisterHostResponse],
    ) -> pb.DeregisterHostResponse:
        lease = _lease(request.lease) if request.HasField("lease") else None
        if lease is None and Scope.ADMINISTER not in caller.get().scopes:
            raise OperationNotAllowed("a node removes its host with its lease, others with admin")
        await self._cluster.deregister(request.host_id, lease)
        return pb.DeregisterHostResponse()

    def _beat(self, message: pb.Heartbeat) -> Beat:
        self._check_keys(one.definition for one in message.services)
        return _beat(message)

    def _check_keys(self, definitions: Iterable[inventory_pb.Service]) -> None:
        if self._key_refusal is None:
            return
        for one in definitions:
            if one.api_key:
                raise InvalidValue(
                    f"{one.service_id[:MAX_TEXT]!r} has an API key, which cannot be taken here:"
                    f" {self._key_refusal}"
                )


async def _next(
    requests: AsyncIterator[pb.StreamHeartbeatsRequest], patience: float
) -> pb.StreamHeartbeatsRequest | None:
    """Return the next request, None at the end of the stream.

    Raises:
        PeerTooSlow: none came within `patience` seconds.
    """
    try:
        async with asyncio.timeout(patience):
            return await anext(requests, None)
    except TimeoutError as error:
        raise PeerTooSlow(f"no heartbeat within {patience:.0f} s") from error


def _beat(message: pb.Heartbeat) -> Beat:
    lease = _lease(message.lease)
    return Beat(
        lease=lease,
        sequence=message.sequence,
        services=[
            (
                one.service_id,
                messages.observation(one.observation),
                messages.service(one.definition, lease.host_id)
                if one.HasField("definition")
                else None,
            )
            for one in message.services
        ],
        metrics=machine_messages.metrics(message.metrics),
        machine=machine_messages.machine(message),
    )


def _lease(message: pb.Lease) -> Lease:
    return Lease(message.host_id, message.instance_id, message.generation)


def _lease_message(lease: Lease) -> pb.Lease:
    return pb.Lease(
        host_id=lease.host_id, instance_id=lease.instance_id, generation=lease.generation
    )


@lru_cache(maxsize=256)
def _pace_message(pace: Pace) -> pb.Pace:
    return pb.Pace(
        heartbeat_interval=_duration(pace.interval),
        lease_duration=_duration(pace.lease),
        reconnect_window=_duration(pace.reconnect_window),
    )


def _duration(seconds: float) -> Duration:
    message = Duration()
    message.FromMicroseconds(int(seconds * 1e6))
    return message
