"""What gateways tell each other, through control, of services that they keep out of rotation.

Hints: each gateway judges by what it sees itself, and by a hint only sooner. So a gateway that
cannot reach a service takes it away from nobody else.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import islice

from geniehive.v1 import routing_service_pb2 as pb

from gateway.breaker import Breaker, Ejected
from gateway.upstream import Upstream

# Control keeps no more: of characters, and of services.
MAX_REASON, MAX_SERVICES = 100, 1_000


class Hints:
    """Hands on to our breakers what others keep out. upstreams: the routed ones, by service."""

    def __init__(self, upstreams: Mapping[str, Upstream]) -> None:
        self._upstreams = upstreams
        self._hinted: list[Breaker] = []

    def heed(self, services: Iterable[str]) -> None:
        """Take `services` for all that others keep out now."""
        for breaker in self._hinted:
            breaker.hint(ejected=False)
        found = (self._upstreams.get(service_id) for service_id in services)
        self._hinted = [upstream.breaker for upstream in found if upstream is not None]
        for breaker in self._hinted:
            breaker.hint(ejected=True)


def load_messages(
    in_flight: Mapping[str, int], ejections: Mapping[str, Ejected]
) -> list[pb.ServiceLoad]:
    """Return what control is told: requests in flight, and what is kept out, by service."""
    told = dict(islice(ejections.items(), MAX_SERVICES))
    loads = []
    for service_id in {**in_flight, **told}:
        load = pb.ServiceLoad(service_id=service_id, in_flight=in_flight.get(service_id, 0))
        if (ejection := told.get(service_id)) is not None:
            load.ejection.reason = ejection.reason[:MAX_REASON]
            load.ejection.hinted = ejection.hinted
            load.ejection.remaining.FromMilliseconds(math.ceil(ejection.remaining * 1_000))
        loads.append(load)
    return loads
