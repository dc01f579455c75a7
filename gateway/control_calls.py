"""What a gateway asks control for its clients. Serving a request never waits for any of it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from geniehive.v1 import routing_service_pb2 as pb
from geniehive.v1 import routing_service_pb2_grpc as pb_grpc

from control.api import auth
from control.api.channel import control_errors
from control.api.errors import ControlUnavailable, Forbidden, Unauthenticated

log = logging.getLogger(__name__)

SECONDS = 5.0  # for one answer


class ControlCalls:
    """Asks control over a channel. What control refuses is raised as the same error.

    seconds: that an answer may take.
    """

    def __init__(
        self, channel: grpc.aio.Channel, key: str | None, seconds: float = SECONDS
    ) -> None:
        self._stub: Any = pb_grpc.RoutingServiceStub(channel)
        self._call = {"metadata": auth.metadata("gateway", key), "timeout": seconds}

    async def resolve(self, request: pb.ResolveRouteRequest) -> pb.ResolveRouteResponse:
        """See the contract.

        Raises:
            ControlUnavailable: control does not answer in time, or not to this gateway.
        """
        with _told_to_clients():
            answer: pb.ResolveRouteResponse = await self._stub.ResolveRoute(request, **self._call)
        return answer

    async def match(self, request: pb.MatchRoutesRequest) -> pb.MatchRoutesResponse:
        """See the contract. Raises as `resolve`."""
        with _told_to_clients():
            answer: pb.MatchRoutesResponse = await self._stub.MatchRoutes(request, **self._call)
        return answer


@contextmanager
def _told_to_clients() -> Iterator[None]:
    """Raise what control raised, without what is only for operators of the gateway."""
    try:
        with control_errors():
            yield
    except ControlUnavailable as error:
        # gRPC names addresses of ours.
        raise ControlUnavailable("control does not answer now; requests are served on") from error
    except (Unauthenticated, Forbidden) as error:
        # The client's key was good: this would tell it that it is not.
        log.warning("control refuses this gateway: %s", error)
        raise ControlUnavailable("control does not answer this gateway") from error
