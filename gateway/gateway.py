"""What all requests of one gateway process share."""

import asyncio
import itertools
import logging
import random
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from control.api.errors import NotReady
from control.api.ports import is_loopback
from gateway.config import Config
from gateway.keys import Key, KeyRing, Settings, read_resource
from gateway.meter import Meter
from gateway.resources import Service, Target
from gateway.resources import read_resource as read_route
from gateway.routes import Routes
from gateway.table import Replica
from gateway.upstream import Upstream

if TYPE_CHECKING:
    from gateway.exchange import Exchange

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.25


class Incoming(Protocol):
    """A connection on which a request is on its way in."""

    def check(self, now: float) -> None:
        """Give up on it if it takes too long. now: seconds of the clock."""


class Gateway:
    """Routes, keys, and the exchanges under way. Must be made inside a running loop."""

    def __init__(
        self,
        config: Config,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
        *,
        insecure: bool = False,
    ) -> None:
        self.timeouts = config.timeouts
        self.limits = config.limits
        self.drain = config.drain
        self.clock = clock
        self.random = random
        self.strip = config.reasoning == "strip"
        self.draining = False
        self.control_connected = False
        self.active: set[Exchange] = set()
        self.incoming: set[Incoming] = set()
        self.meter = Meter()
        self.route_table: Replica[Service | Target] = Replica(read_route)
        self.key_table: Replica[Key | Settings] = Replica(read_resource)
        self.keys = KeyRing(may_be_open=insecure or is_loopback(config.listen))
        self.routes = Routes(
            lambda service_id, origin: Upstream(service_id, origin, config.timeouts.connect, clock)
        )
        # Unique over processes by its first half, within one by its second.
        self._id_prefix = f"req_{secrets.token_hex(8)}".encode()
        self._id_numbers = itertools.count()

    def next_request_id(self) -> bytes:
        return b"%b%016x" % (self._id_prefix, next(self._id_numbers))

    @property
    def ready(self) -> bool:
        """Whether requests can be judged and routed."""
        return self.routes.ready and self.keys.settings is not None and not self.draining

    def stop(self) -> None:
        """End what is still under way: the process is about to."""
        for exchange in list(self.active):
            exchange.refuse(NotReady("the gateway is stopping"))

    def loads(self) -> dict[str, int]:
        """Return the requests in flight of each service that has some."""
        return {one.service_id: one.in_flight for one in self.routes.busy() if one.in_flight}

    def sweep(self, now: float) -> None:
        """End exchanges whose time is over, and connections that idle.

        now: seconds of the clock.
        """
        for exchange in [one for one in self.active if one.deadline < now]:
            exchange.expire()
        for upstream in self.routes.upstreams.values():
            upstream.close_idle(now)
        for door in tuple(self.incoming):
            door.check(now)

    async def keep_sweeping(self) -> None:
        """Sweep until cancelled. One timer for all is cheaper than one a request."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                self.sweep(self.clock())
            except Exception:  # or no request would ever time out again
                log.exception("sweep: bug")
