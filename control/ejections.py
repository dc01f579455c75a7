"""What each gateway keeps out of rotation, because its answers failed. Never stored.

It is told to other gateways, which are quicker to judge then, and to people. Health and
routes are none of its business: whoever sees a service fail decides for itself alone.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from control.text import printable

MAX_REMAINING_S = 3_600.0
MAX_REASON = 100  # characters
# Of one gateway, and told to one: a hint need not be complete, and comes four times a second.
MAX_SERVICES = 1_000


class Told(NamedTuple):
    """That a gateway keeps a service out.

    remaining: seconds. reason: in words. hinted: it would not, if others did not.
    """

    remaining: float
    reason: str
    hinted: bool = False


@dataclass(frozen=True, slots=True)
class Ejection:
    """That gateways keep a service out.

    remaining: seconds, at least; 0 when the next request may try it. reason: in words. Of
    several gateways both are told of the one that keeps it out for longest.
    """

    remaining: float
    reason: str
    gateways: int = 1


class Ejections:
    """What is kept out, by service. What a gateway told ends with its stream.

    now: the monotonic clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        # By service, and there by stream; what remains is until when here.
        self._kept_out: dict[str, dict[object, Told]] = {}
        self._told: dict[object, Collection[str]] = {}

    def tell(self, stream: object, ejections: Iterable[tuple[str, Told]]) -> None:
        """Replace what `stream` told by the first `MAX_SERVICES` of `ejections`."""
        self.forget(stream)
        kept = dict(islice(ejections, MAX_SERVICES))
        if not kept:
            return
        now = self._now()
        for service_id, one in kept.items():
            until = now + min(max(0.0, one.remaining), MAX_REMAINING_S)  # in this order, NaN is 0
            kept_out = self._kept_out.setdefault(service_id, {})
            kept_out[stream] = Told(until, printable(one.reason, MAX_REASON), one.hinted)
        self._told[stream] = kept

    def forget(self, stream: object) -> None:
        """Drop what `stream` told, because it ended."""
        for service_id in self._told.pop(stream, ()):
            kept_out = self._kept_out[service_id]
            del kept_out[stream]
            if not kept_out:
                del self._kept_out[service_id]

    def of(self, service_id: str) -> Ejection | None:
        """Return that gateways keep a service out; None when none does."""
        kept_out = self._kept_out.get(service_id)
        return self._summed(kept_out.values()) if kept_out else None

    def all(self) -> dict[str, Ejection]:
        """Return all that is kept out, by service."""
        return {name: self._summed(told.values()) for name, told in self._kept_out.items()}

    def others(self, stream: object) -> dict[str, Ejection]:
        """Return what is a hint for `stream`, by service; `MAX_SERVICES` at most.

        That is what others told; but hints that rest on hints would go round for ever.
        """
        theirs = (
            (
                service_id,
                [one for other, one in told.items() if other is not stream and not one.hinted],
            )
            for service_id, told in self._kept_out.items()
        )
        found = islice(((one, told) for one, told in theirs if told), MAX_SERVICES)
        return {service_id: self._summed(told) for service_id, told in found}

    def _summed(self, told: Collection[Told]) -> Ejection:
        until, reason, _ = max(told)
        return Ejection(max(0.0, until - self._now()), reason, len(told))
