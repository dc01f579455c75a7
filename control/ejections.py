"""What each gateway keeps out of rotation, because its answers failed. Never stored.

It is told to other gateways, which are quicker to judge then, and to people. Health and
routes are none of its business: whoever sees a service fail decides for itself alone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from control.text import printable

MAX_REMAINING_S = 3_600.0
MAX_REASON = 100  # characters


@dataclass(frozen=True, slots=True)
class Ejection:
    """That gateways keep a service out.

    remaining: seconds, at least, 0 while it is being tried. reason: in words. Of several
    gateways both are told of the one that keeps it out for longest.
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
        # By service, and there by stream: until when, and why.
        self._kept_out: dict[str, dict[object, tuple[float, str]]] = {}
        self._told: dict[object, Iterable[str]] = {}

    def tell(self, stream: object, ejections: Mapping[str, tuple[float, str]]) -> None:
        """Replace what `stream` told by `ejections`: for how many seconds still, and why."""
        self.forget(stream)
        if not ejections:
            return
        now = self._now()
        for service_id, (remaining, reason) in ejections.items():
            until = now + min(max(0.0, remaining), MAX_REMAINING_S)  # in this order, NaN is 0
            kept_out = self._kept_out.setdefault(service_id, {})
            kept_out[stream] = until, printable(reason, MAX_REASON)
        self._told[stream] = ejections.keys()

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
        return self.others(None)

    def others(self, stream: object) -> dict[str, Ejection]:
        """Return what all streams but `stream` told, by service."""
        found = {}
        for service_id, kept_out in self._kept_out.items():
            if theirs := [told for other, told in kept_out.items() if other is not stream]:
                found[service_id] = self._summed(theirs)
        return found

    def _summed(self, told: Iterable[tuple[float, str]]) -> Ejection:
        *_, (until, reason) = every = sorted(told)
        return Ejection(max(0.0, until - self._now()), reason, len(every))
