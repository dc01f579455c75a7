"""What gateways keep out of rotation, as messages. Copies; judges nothing."""

import math
from collections.abc import Callable, Iterable, Iterator

from geniehive.v1 import routing_service_pb2 as pb

from control.api.message_values import seconds
from control.ejections import Ejection, Told


def ejections(
    loads: Iterable[pb.ServiceLoad], known: Callable[[str], object]
) -> Iterator[tuple[str, Told]]:
    """Yield what a gateway keeps out: services, and what it tells of each.

    known: returns None for a service that nobody registered; of that nothing is taken.
    """
    for load in loads:
        if load.HasField("ejection") and known(load.service_id) is not None:
            one = load.ejection
            yield (
                load.service_id,
                Told(seconds(one, "remaining") or 0.0, one.reason, one.hinted),
            )


def ejection_message(one: Ejection) -> pb.Ejection:
    """Return that a service is kept out."""
    message = pb.Ejection(reason=one.reason, gateway_count=one.gateways)
    message.remaining.FromMilliseconds(math.ceil(one.remaining * 1_000))
    return message
