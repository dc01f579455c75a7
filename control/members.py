"""What is known of one host, and what its node and control say to each other about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from control.allowance import Allowance
from control.inventory import (
    UNMEASURED,
    UNOBSERVED,
    Availability,
    Host,
    HostState,
    Machine,
    Metrics,
    Observation,
    Service,
)
from control.pace import Pace


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one instance of a host to be considered alive."""

    host_id: str
    instance_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A service and what its node sees of it."""

    service: Service
    observation: Observation = UNOBSERVED


@dataclass(frozen=True, slots=True)
class Beat:
    """What a node says at every beat. A definition is None when it did not change."""

    lease: Lease
    sequence: int
    services: Sequence[tuple[str, Observation, Service | None]] = ()
    metrics: Metrics = UNMEASURED
    machine: Machine | None = None  # None when it did not change, too


@dataclass(frozen=True, slots=True)
class Answer:
    """What control says to a beat."""

    pace: Pace
    wanted: tuple[str, ...] = ()  # services whose definition is not held
    refused: dict[str, str] = field(default_factory=dict)  # reason by service
    in_flight: int = 0  # requests at the services of the host


@dataclass(frozen=True, slots=True)
class Changes:
    """What to store and what to publish again, by id; includes what is gone."""

    hosts: frozenset[str]
    services: frozenset[str]


@dataclass(slots=True)
class Member:
    """A host and its life so far. Others only read it."""

    host: Host
    generation: int
    heard_at: float  # monotonic seconds; before control's own start for a returning host
    state: HostState = HostState.RETURNING
    instance_id: str = ""
    silent_at: float = float("-inf")  # when a beat is long overdue
    deadline: float = float("-inf")  # when the lease is over
    sequence: int = 0
    streams: int = 0
    leaving_since: float | None = None  # when all that it serves began to drain, by its node
    detached: bool = False  # the last stream ended, and neither a stream nor a beat came since
    metrics: Metrics = UNMEASURED
    machine: Machine | None = None  # what else its node found on it; None while it is not told
    offers: dict[str, Offer] = field(default_factory=dict)
    # Refilled from the first call on, however long before that the host was heard of.
    allowance: Allowance = field(default_factory=lambda: Allowance(0.0))

    @property
    def lease(self) -> Lease:
        """The only lease that is good for this host."""
        return Lease(self.host.host_id, self.instance_id, self.generation)

    def note_leaving(self, now: float) -> None:
        """Note since when it takes nothing new, as one does whose node is stopped."""
        seen = (offer.observation.availability for offer in self.offers.values())
        if not all(one is Availability.DRAINING for one in seen):
            self.leaving_since = None
        elif self.leaving_since is None:
            self.leaving_since = now
