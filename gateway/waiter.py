"""One request, as the room sees it."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from control.api.priorities import Priority
from gateway.load import Need
from gateway.route import Choice, Route

if TYPE_CHECKING:
    from gateway.attempts import Attempts


class Waiter:
    """See `room.Waiter`."""

    __slots__ = ("_attempts", "lane", "need", "principal", "priority", "until")

    def __init__(
        self,
        attempts: "Attempts",
        lane: tuple[int, str],
        principal: str,
        priority: Priority,
        need: Need,
        until: float,
    ) -> None:
        self._attempts = attempts
        self.lane = lane
        self.principal = principal
        self.priority = priority
        self.need = need
        self.until = until

    def routes(self) -> Iterable[Route]:
        return self._attempts.succession()

    def tried(self) -> Collection[str]:
        return self._attempts.asked_before()

    def go(self, route: Route, choice: Choice) -> None:
        self._attempts.admitted(route, choice)

    def fail(self, error: Exception) -> None:
        self._attempts.turned_away(error)
