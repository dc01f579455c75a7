"""What gateways tell each other, through control, of services that they keep out of rotation.

Hints: each gateway judges by what it sees itself, and by a hint only sooner. So a gateway that
cannot reach a service takes it away from nobody else.
"""

from collections.abc import Iterable, Mapping

from gateway.breaker import Breaker
from gateway.upstream import Upstream


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
