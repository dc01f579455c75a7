"""How busy a service is, as far as this process knows, and whether it takes one more request."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from gateway.capacity import Capacity
from gateway.config import Limits

# Seconds of prompts that an engine may still have to read: who is sent more of them only waits
# inside of it, where nobody can change its mind.
GATE_S = 0.5
DIGITS = 6  # of seconds that are summed up: rounded, sums come back to nothing


class Need(msgspec.Struct, frozen=True, gc=False):
    """What of a request decides how long it takes.

    size: bytes of its body. most: tokens that its answer may have, 0 when it does not say.
    since: when it came, seconds of the gateway's clock.
    """

    size: int
    most: int = 0
    since: float = 0.0


class Elsewhere(NamedTuple):
    """What is told of a service: by other gateways, and by its node of what waits inside."""

    in_flight: int = 0
    queue_depth: int = 0
    pending_s: float = 0.0


@dataclass(slots=True)
class Switch:
    """A model that an engine was made to load.

    started: whether it answers with it. began: since when it does, or was to, seconds of the
    clock. known: whether the route table tells so.
    """

    asset: bytes
    began: float
    started: bool = False
    known: bool = False


class Load:
    """What a service has to do.

    in_flight: requests of this process. elsewhere: of others, and what waits inside the engine,
    which is `queue_depth`. pending: seconds of prompts that this process has sent and that are
    not read yet, `pending_elsewhere` those of others. booked: requests that wait for it, as one
    planning pass of the room reckons, and `booked_s` their prompts. waiting: how many these were
    in the last pass. gated: whether requests wait for a free slot, instead of being sent at once.
    most: requests of this process that it may have where they do not wait. loaded_assets: models
    in its memory. switch: what it was made to load. switched: when that was last, seconds of the
    clock. reserved: whether it is kept for who needs another model than it holds.
    """

    # Beyond 30 attributes a dictionary is no longer shared, and each look at one costs more.
    __slots__ = (
        "_limits",
        "booked",
        "booked_s",
        "capacity",
        "concurrency",
        "elsewhere",
        "gated",
        "host_id",
        "in_flight",
        "loaded_assets",
        "most",
        "pending",
        "pending_elsewhere",
        "queue_depth",
        "reserved",
        "service_id",
        "switch",
        "switched",
        "waiting",
    )

    shared = False  # whether other processes count in `elsewhere` at the same time
    elsewhere: int
    pending: float
    pending_elsewhere: float

    def __init__(self, service_id: str, limits: Limits) -> None:
        self.service_id = service_id
        self.host_id = ""
        self.in_flight = 0
        self.elsewhere = 0
        self.queue_depth = 0
        self.pending = self.pending_elsewhere = 0.0
        self.booked = self.waiting = 0
        self.booked_s = 0.0
        self.gated = False
        self.loaded_assets = 0
        self.switch: Switch | None = None
        self.switched = -math.inf
        self.reserved = False
        self.capacity = Capacity()
        self._limits = limits
        self.resize(0)

    def resize(self, concurrency: int) -> None:
        """Take note of how many requests it serves at the same time, 0 when unknown."""
        limits = self._limits
        self.concurrency = concurrency
        self.most = concurrency * limits.requests_per_slot or limits.requests_per_service
        self.capacity.report(concurrency)

    def hear(self, told: Elsewhere) -> None:
        """Take what others do there, and what its node sees."""
        self.queue_depth = told.queue_depth
        self.elsewhere = told.in_flight + told.queue_depth
        self.pending_elsewhere = told.pending_s
        self.capacity.queueing(self.in_flight + told.in_flight, told.queue_depth)

    @property
    def slots(self) -> int:
        """Requests that it is believed to serve at the same time, at least 1."""
        return self.capacity.slots

    @property
    def ahead(self) -> int:
        """Requests that are there, or have a place there, before the next one."""
        return self.in_flight + self.elsewhere + self.booked

    @property
    def unread_s(self) -> float:
        """Seconds of prompts that are to be read before that of the next request."""
        return self.pending + self.pending_elsewhere + self.booked_s

    @property
    def fits(self) -> bool:
        """Whether what is there fits, with one more that was counted in flight already."""
        if not self.gated:
            return self.in_flight <= self.most
        # Each request asks: no calls where everything is well.
        if (
            self.in_flight + self.elsewhere + self.booked <= self.capacity.slots
            and self.pending + self.pending_elsewhere + self.booked_s <= GATE_S
        ):
            return not self.reserved
        return self._waits_for_nobody(0)

    @property
    def takes_one(self) -> bool:
        """Whether it takes one more."""
        if not self.gated:
            return self.in_flight < self.most
        if self.ahead < self.capacity.slots and self.unread_s <= GATE_S:
            return not self.reserved
        return self._waits_for_nobody(1)

    def _waits_for_nobody(self, more: int) -> bool:
        # What its node says that waits inside may be old, or wrong: for that alone nobody waits.
        ahead = self.ahead + more - self.queue_depth
        alone = self.queue_depth > 0 and self.in_flight + more <= 1
        return alone and ahead <= self.slots and self.unread_s <= GATE_S and not self.reserved

    def read(self, seconds: float) -> None:
        """Count so many seconds of prompts more to be read, or less."""
        self.pending = max(0.0, round(self.pending + seconds, DIGITS))

    def book(self, prompt_s: float) -> None:
        """Keep a place for one who waits, until the next planning pass."""
        self.booked += 1
        self.booked_s += prompt_s

    def clear_bookings(self) -> None:
        """Begin a planning pass."""
        self.booked, self.booked_s = 0, 0.0
