"""What a gateway did since it began, as `/metrics` tells it: sums that only grow.

They are folded from what the meter hands out, so that a request pays nothing for them.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Self

import msgspec

from gateway.meter import Increment

MAX_TOKENS = 2**53  # whatever engines say of theirs: a scraper cannot tell more from one more
MAX_SERVICES = 200  # with sums of their own; series are not cheap for those who store them
OTHER = "other"

ANSWERED, LEFT = "answered", "client_left"


class Sums(msgspec.Struct):
    """Of one service, or of several others."""

    since: float  # when it was first counted, seconds since 1970
    outcomes: Counter[str] = msgspec.field(default_factory=Counter)  # of attempts
    ejections: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    decoded_tokens: int = 0
    decode_s: float = 0.0
    first_bytes: Counter[int] = msgspec.field(default_factory=Counter)  # by latency bucket
    durations: Counter[int] = msgspec.field(default_factory=Counter)

    def count(self, one: Increment) -> None:
        """Add what came to its end."""
        self.outcomes.update(one.errors)
        if one.answered:
            self.outcomes[ANSWERED] += one.answered
        if one.abandoned:
            self.outcomes[LEFT] += one.abandoned
        self._add(one)

    def add(self, other: Self) -> None:
        """Add the sums of `other`."""
        self.outcomes.update(other.outcomes)
        self.ejections += other.ejections
        self._add(other)
        self.since = min(self.since, other.since)

    def _add(self, other: "Increment | Sums") -> None:
        self.prompt_tokens = min(self.prompt_tokens + other.prompt_tokens, MAX_TOKENS)
        self.completion_tokens = min(self.completion_tokens + other.completion_tokens, MAX_TOKENS)
        self.decoded_tokens = min(self.decoded_tokens + other.decoded_tokens, MAX_TOKENS)
        self.decode_s += other.decode_s
        self.first_bytes.update(other.first_bytes)
        self.durations.update(other.durations)


class Totals(msgspec.Struct):
    """By service; of those that come after the first `MAX_SERVICES`, together as `other`."""

    services: dict[str, Sums] = msgspec.field(default_factory=dict)

    def count(self, one: Increment, now: float) -> None:
        """Add what came to its end. now: seconds since 1970."""
        self._sums(one.service_id, now).count(one)

    def eject(self, service_id: str, now: float) -> None:
        """Count that a service was taken out of rotation. now: as above."""
        self._sums(service_id, now).ejections += 1

    def add(self, others: Iterable["Totals"]) -> None:
        """Add the sums of others; the services that came first keep sums of their own."""
        found = [item for one in others for item in one.services.items()]
        for service_id, sums in sorted(found, key=lambda item: item[1].since):
            self._sums(service_id, sums.since).add(sums)

    def with_(self, waiting: Iterable[Increment], now: float) -> "Totals":
        """Return a copy to which `waiting` is added."""
        whole = Totals()
        whole.add([self])
        for one in waiting:
            whole.count(one, now)
        return whole

    def _sums(self, service_id: str, since: float) -> Sums:
        found = self.services.get(service_id)
        if found is None and len(self.services) - (OTHER in self.services) >= MAX_SERVICES:
            service_id = OTHER
            found = self.services.get(OTHER)
        if found is None:
            found = self.services[service_id] = Sums(since)
        return found
