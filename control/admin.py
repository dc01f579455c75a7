"""AdminService: translates between administrators' messages and what changes for them."""

from collections.abc import Callable, Iterable

import grpc
from geniehive.v1 import admin_service_pb2 as pb
from geniehive.v1 import admin_service_pb2_grpc as pb_grpc

from control.draining import Draining
from control.principals import caller


class AdminServicer(pb_grpc.AdminServiceServicer):
    """See the comments of the service in the contract.

    in_flight: requests at services, summed over all gateways.
    """

    def __init__(self, draining: Draining, in_flight: Callable[[Iterable[str]], int]) -> None:
        self._draining = draining
        self._in_flight = in_flight

    async def DrainServices(
        self,
        request: pb.DrainServicesRequest,
        context: grpc.aio.ServicerContext[pb.DrainServicesRequest, pb.DrainServicesResponse],
    ) -> pb.DrainServicesResponse:
        done = await self._draining.drain(request.name, by=caller.get().id)
        return pb.DrainServicesResponse(
            service_ids=done.services,
            in_flight=self._in_flight(done.services),
            changed=done.changed,
        )

    async def UndrainServices(
        self,
        request: pb.UndrainServicesRequest,
        context: grpc.aio.ServicerContext[pb.UndrainServicesRequest, pb.UndrainServicesResponse],
    ) -> pb.UndrainServicesResponse:
        done = await self._draining.undrain(request.name)
        return pb.UndrainServicesResponse(
            service_ids=done.services, changed=done.changed, still_drained=done.still_drained
        )
