"""One request, as the room sees it."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from control.api.priorities import Priority
from gateway.load import Need
from gateway.route import Choice, Route

if TYPE_CHECKING:
    from gateway.seeking import Seeking


class Waiter:
    """See `room.Waiter`."""

    __slots__ = ("_seeking", "lane", "need", "principal", "priority", "until")

    def __init__(
        self,
        seeking: "Seeking",
        lane: tuple[int, str, frozenset[str]],
        principal: str,
        priority: Priority,
        need: Need,
        until: float,
    ) -> None:
        self._seeking = seeking
        self.lane = lane
        self.principal = principal
        self.priority = priority
        self.need = need
        self.until = until

    def routes(self) -> Iterable[Route]:
        return self._seeking.succession()

    def tried(self) -> Collection[str]:
        return self._seeking.asked_before()

    def go(self, route: Route, choice: Choice) -> None:
        self._seeking.admitted(route, choice)

    def fail(self, error: Exception) -> None:
        self._seeking.turned_away(error)
