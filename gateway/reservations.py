"""Services that are kept for who needs another model than they hold, until they are idle."""

from typing import TYPE_CHECKING

from gateway.residency import Residency, is_absent
from gateway.route import Choice, Route

if TYPE_CHECKING:
    from gateway.room import Waiter


class Reservations:
    """Those of one process: at most one for a model, or a few who wait would hold up a fleet."""

    def __init__(self, residency: Residency) -> None:
        self._residency = residency
        self._held: dict[str, tuple[Waiter, Choice]] = {}  # by service

    def begin(self, waiter: "Waiter", choice: Choice) -> None:
        """Keep the service of `choice` for `waiter`, unless its model is to come somewhere else."""
        load = choice.upstream
        if (
            load.reserved
            or self._residency.is_coming(choice.asset)
            or any(one.asset == choice.asset for _, one in self._held.values())
        ):
            return
        load.reserved = True
        self._held[load.service_id] = waiter, choice

    def end(self, waiter: "Waiter") -> None:
        """Keep nothing for `waiter` any more; harmless when nothing was kept."""
        for service_id, (whose, choice) in list(self._held.items()):
            if whose is waiter:
                choice.upstream.reserved = False
                del self._held[service_id]

    def due(self, now: float) -> list[tuple["Waiter", Route, Choice]]:
        """Return for whom a service is idle now; end what is of no use any more.

        now: seconds of the clock.
        """
        found = []
        for waiter, choice in list(self._held.values()):
            wanted = self._wanted(waiter, choice, now)
            if wanted is None:
                self.end(waiter)
            elif not choice.upstream.ahead and self._residency.may_load(choice):
                found.append((waiter, *wanted))
        return found

    def _wanted(self, waiter: "Waiter", choice: Choice, now: float) -> tuple[Route, Choice] | None:
        """Return what became of `choice`, if nobody serves `waiter` who has its model already."""
        load = choice.upstream
        if self._residency.is_coming(choice.asset) or not _serves(choice, now):
            return None
        tried = waiter.tried()
        for route in waiter.routes():
            found = route.of(load.service_id)
            if found is None or found.upstream is not load or found.asset != choice.asset:
                continue
            held = any(
                one.asset == choice.asset and not is_absent(one) and _serves(one, now)
                for one in route.choices
                if one.upstream.service_id not in tried
            )
            return None if held else (route, found)
        return None


def _serves(choice: Choice, now: float) -> bool:
    """Return whether the service of `choice` is in rotation, and not resting."""
    breaker = choice.upstream.breaker
    return breaker.ejection(now) is None and not breaker.rests_now
