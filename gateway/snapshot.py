"""All that one worker tells its siblings for `/metrics`, and the bytes it is told in."""

from collections import Counter
from typing import Any, Self

import msgspec

from gateway.retold import Lines
from gateway.totals import Totals
from gateway.waited import Waited

FRESH_SECONDS = 5.0  # what a worker told longer ago is how it was before it died or froze


class Speed(msgspec.Struct, frozen=True):
    """How fast a service works with one asset, as one worker learned it.

    Tokens a second; None for what is not known. samples: answers it was learned from.
    """

    service_id: str
    asset_id: str
    prefill: float | None
    decode: float | None  # of an answer that is written alone
    samples: int


class Now(msgspec.Struct, kw_only=True):
    """How one worker is; without routes it has no age and no version."""

    at: float  # seconds of the system's monotonic clock
    in_flight: dict[str, int] = msgspec.field(default_factory=dict)  # by service
    ejected: list[str] = msgspec.field(default_factory=list)  # services, not more than are shown
    resting: int = 0  # services
    speeds: list[Speed] = msgspec.field(default_factory=list)  # not more than are shown
    slots: dict[str, int] = msgspec.field(default_factory=dict)  # believed, by service, likewise
    waiting: int = 0  # requests, for a free service
    active: int = 0  # requests that clients wait for
    most: int = 0  # of these
    held: int = 0  # bytes for these
    connections: int = 0  # of clients
    idle: int = 0  # connections to services
    connected: bool = False  # to control
    age: float | None = None  # seconds since its routes were known to be true
    version: int | None = None  # of the routes
    routed: int = 0  # services
    lag: float = 0.0  # seconds that the event loop is late

    def fresh(self, at: float) -> bool:
        """Return whether it is so still. at: seconds of the same clock."""
        return self.at > at - FRESH_SECONDS


class Snapshot(msgspec.Struct):
    """What one worker did, and how it is now."""

    now: Now
    totals: Totals = msgspec.field(default_factory=Totals)
    refused: Counter[str] = msgspec.field(default_factory=Counter)  # by code
    retried: int = 0  # attempts beyond the first
    retries_denied: int = 0
    waited: Waited = msgspec.field(default_factory=Waited)
    requests: Lines = msgspec.field(default_factory=list)  # as `Told` has them

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Return what was told as `content`."""
        return msgspec.msgpack.decode(content, type=cls, dec_hook=_made)

    def written(self) -> bytes:
        """Return the bytes to tell."""
        return msgspec.msgpack.encode(self)


def _made(kind: Any, found: Any) -> Any:
    """Return a counter, which comes as a mapping."""
    return kind(found)
