"""What all requests of one gateway process share."""

import asyncio
import itertools
import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from control.api.errors import NotReady
from control.api.ports import is_loopback
from control.api.tracing import Tracer
from gateway import patience
from gateway.admission import Admission
from gateway.cells import Busy, Cells
from gateway.checkup import Checkups
from gateway.config import Config
from gateway.keys import Key, KeyRing, Settings, read_resource
from gateway.last_good import LastGood
from gateway.meter import Meter
from gateway.patience import Waits
from gateway.priority import Priorities
from gateway.rates import Learned
from gateway.recent import Recent
from gateway.relay import Trust
from gateway.request_log import RequestLog
from gateway.request_trace import RequestTrace
from gateway.resources import WORDS, Operation, Resource
from gateway.resources import read_resource as read_route
from gateway.retry_budget import RetryBudget
from gateway.room import Room
from gateway.rotation import Rotation
from gateway.routes import Routes
from gateway.shared import SharedUpstream
from gateway.steps import finished
from gateway.table import Replica
from gateway.totals import Totals
from gateway.upstream import Origin, Upstream
from gateway.witness import Begin

if TYPE_CHECKING:
    from gateway.exchange import Exchange

log = logging.getLogger(__name__)

MAX_ERROR_BYTES = 64 << 10  # of an answer that is not good
SWEEP_SECONDS = 0.1  # a deadline is kept within this time


class Incoming(Protocol):
    """What a client takes its time for: to send a request, or to read an answer."""

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
        cells: Cells | None = None,  # shared with other workers
        wall_time: Callable[[], float] = time.time,
        tracer: Tracer | None = None,
        part: str = "",  # which worker this is, if there are several
    ) -> None:
        self.timeouts = config.timeouts
        self.limits = config.limits
        self.admission = Admission(config.limits)
        self.failover = config.failover
        # In bytes: no answer is too large then, whatever it says.
        self.small_answer = min(config.limits.json_answer, MAX_ERROR_BYTES)
        self.drain = config.drain
        self.clock = clock
        self.random = random
        self.strip = config.reasoning == "strip"
        self.draining = False
        self.tracer = tracer
        self.request_log = RequestLog(wall_time, clock, part) if config.log.requests else None
        witnesses: list[Begin] = []
        if tracer is not None:
            witnesses.append(partial(RequestTrace, tracer))
        if self.request_log is not None:
            witnesses.append(self.request_log.begin)
        self.witnesses = tuple(witnesses)  # of requests, which has to be asked of each
        self.wall_time = wall_time
        # By operation, how long a request may take with all its attempts, in seconds.
        self.longest = {
            number: patience.total(config.timeouts, word) for number, word in WORDS.items()
        }
        self.retry_budget = RetryBudget(config.failover)
        self._connected = False
        # While control is away: when what is held was last known to be true, if it was.
        self._true_at: float | None = None
        self.active: set[Exchange] = set()
        self.recent = Recent()
        self.incoming: set[Incoming] = set()
        self.totals = Totals()
        self.meter = Meter(lambda taken: self.totals.count(taken, wall_time()))
        self.refused: Counter[str] = Counter()  # requests that ended with an error, by its code
        self.route_table: Replica[Resource] = Replica(read_route)
        self.key_table: Replica[Key | Settings] = Replica(read_resource)
        self.keys = KeyRing(may_be_open=insecure or is_loopback(config.listen))
        self._cells = cells
        self._trust = Trust(config.tls.ca if config.tls else None)  # of nodes, as of control
        self.rotation = Rotation(config.ejection, random, self._ejected, self._returned)
        self.checkups = Checkups(self.rotation, clock)
        loop = asyncio.get_running_loop()
        self.later: Callable[[float, Callable[[], None]], asyncio.TimerHandle] = loop.call_later
        self.room = Room(self.rotation, config.limits.waiting, clock, loop.call_soon)
        self.learned = Learned()
        self.routes = Routes(self._open, self.learned.rates)
        self.priorities = Priorities(self.keys, self.routes)
        # Unique over processes by its first half, within one by its second.
        self._id_prefix = f"req_{secrets.token_hex(8)}".encode()
        self._id_numbers = itertools.count()

    def next_request_id(self) -> bytes:
        return b"%b%016x" % (self._id_prefix, next(self._id_numbers))

    @property
    def ready(self) -> bool:
        """Whether requests can be judged and routed."""
        known = self.routes.ready and self.keys.settings is not None
        return known and not self.keys.closed and not self.draining

    @property
    def control_connected(self) -> bool:
        """Whether control tells now where requests go."""
        return self._connected

    @control_connected.setter
    def control_connected(self, connected: bool) -> None:
        if self._connected and not connected:
            self._true_at = self.wall_time()
        self._connected = connected

    @property
    def true_at(self) -> float | None:
        """When the routes were last known to be true, seconds since the epoch; None: never."""
        return self.wall_time() if self._connected else self._true_at

    def age(self) -> dict[str, float | str]:
        """Return how old the routes are and where they are from; nothing while control tells."""
        if self._connected or self._true_at is None:
            return {}
        stale = max(0.0, self.wall_time() - self._true_at)
        source = "control" if self.route_table.identity is not None else "file"
        return {"source": source, "stale_seconds": round(stale, 1)}

    def recall(self, known: LastGood) -> None:
        """Serve by what an earlier life knew, where control has not told anything yet."""
        if self.route_table.identity is None:
            self._true_at = known.at
            routes = self.route_table.carry(known.routes)
            finished(self.routes.follow(self.route_table, routes.names))
        self.key_table.carry(known.keys)
        self.keys.replace(self.key_table.carried | self.key_table.current)

    def stop(self) -> None:
        """End what is still under way: the process is about to."""
        for exchange in list(self.active):
            exchange.refuse(NotReady("the gateway is stopping"))

    def in_flight(self) -> dict[str, int]:
        """Return the requests in flight of each service that has some."""
        return {one.service_id: one.in_flight for one in self.routes.busy() if one.in_flight}

    def loads(self) -> dict[str, Busy]:
        """Return how busy each service is that has anything to do, to tell control."""
        self.room.tell()
        loads = {
            one.service_id: Busy(one.in_flight, one.pending, one.waiting)
            for one in self.routes.busy()
            if one.in_flight or one.waiting
        }
        if self._cells is not None:
            self._cells.tell(loads)
        return loads

    def unheard(self) -> None:
        """Take note that control neither knows our loads any more, nor tells those of others."""
        self.routes.set_elsewhere({})
        if self._cells is not None:
            self._cells.unheard()

    def _ejected(self, service_id: str, reason: str) -> None:
        log.warning("%s is out of rotation: %s", service_id, reason)
        self.totals.eject(service_id, self.wall_time())

    def _returned(self, service_id: str) -> None:
        if service_id in self.routes.upstreams:  # else it is forgotten
            log.info("%s is back in rotation", service_id)

    def _open(self, service_id: str, origin: Origin) -> Upstream:
        breaker = self.rotation.breaker(service_id)
        how = service_id, origin, self.clock, breaker, self.limits, self._trust
        if self._cells is None:
            return Upstream(*how)
        return SharedUpstream(self._cells.cell(service_id), *how)

    def waits(self, upstream: Upstream, operation: Operation) -> Waits:
        """Return how long `upstream` may take for `operation`; from then on it knows."""
        found = patience.waits(self.timeouts, WORDS[operation], upstream.service_id)
        upstream.waits[operation] = found
        return found

    def sweep(self, now: float) -> None:
        """End exchanges whose time is over, and connections that idle.

        now: seconds of the clock.
        """
        for exchange in [one for one in self.active if one.deadline < now]:
            exchange.expire()
        self.recent.breathe()
        for upstream in self.routes.upstreams.values():
            upstream.close_idle(now)
        if not self.rotation.quiet:
            self.rotation.pass_time(now)
        self.room.poke()  # for what changed elsewhere: at siblings, in the table
        self.checkups.begin(self.routes.upstreams, now)
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
