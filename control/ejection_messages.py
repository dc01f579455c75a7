"""What gateways keep out of rotation, as messages. Copies; judges nothing."""

import math
from collections.abc import Callable, Iterable

from geniehive.v1 import routing_service_pb2 as pb

from control.api.message_values import seconds
from control.ejections import Ejection, Told


def ejections(loads: Iterable[pb.ServiceLoad], known: Callable[[str], object]) -> dict[str, Told]:
    """Return what a gateway keeps out, by service.

    known: returns None for a service that nobody registered; of that nothing is taken.
    """
    return {
        one.service_id: Told(
            seconds(one.ejection, "remaining") or 0.0, one.ejection.reason, one.ejection.hinted
        )
        for one in loads
        if one.HasField("ejection") and known(one.service_id) is not None
    }


def ejection_message(one: Ejection) -> pb.Ejection:
    """Return that a service is kept out."""
    message = pb.Ejection(reason=one.reason, gateway_count=one.gateways)
    message.remaining.FromMilliseconds(math.ceil(one.remaining * 1_000))
    return message
