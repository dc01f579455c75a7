"""An upstream whose load all workers of a gateway see."""

from collections.abc import Callable

from gateway.breaker import Breaker
from gateway.cells import COUNT, HELD, MAX_PENDING_S, Cell, microseconds
from gateway.config import Limits
from gateway.relay import Trust
from gateway.upstream import Origin, Upstream

_LIMITS = Limits()
_TRUST = Trust(None)


class SharedUpstream(Upstream):
    """Counts in a cell, so that what is elsewhere holds what the other workers have there now."""

    shared = True

    def __init__(
        self,
        cell: Cell,
        service_id: str,
        origin: Origin,
        clock: Callable[[], float],
        breaker: Breaker,
        limits: Limits = _LIMITS,
        trust: Trust = _TRUST,
    ) -> None:
        self._cell = cell
        # The cell's, at hand: both are needed twice a request.
        self._row, self._pending_row, self._mine = cell.row, cell.pending, cell.mine
        self._beyond = 0  # in flight of other gateways, and waiting inside the engine
        self._pending_beyond = 0  # of other gateways, microseconds
        super().__init__(service_id, origin, clock, breaker, limits, trust)

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @in_flight.setter
    def in_flight(self, value: int) -> None:
        self._in_flight = value
        self._row[self._mine] = HELD + value

    @property
    def elsewhere(self) -> int:
        return self._beyond + (sum(self._row) & COUNT) - self._in_flight

    @elsewhere.setter
    def elsewhere(self, told: int) -> None:
        # To control each worker is a gateway: what it tells holds our siblings' requests too.
        # Most services have nothing, and are told so four times a second.
        self._beyond = told and max(0, told - self._cell.told_by_siblings)

    @property
    def pending(self) -> float:
        return self._pending

    @pending.setter
    def pending(self, value: float) -> None:
        self._pending = value
        # The usual case without a call: it is set twice a request.
        usual = 0.0 <= value < MAX_PENDING_S
        self._pending_row[self._mine] = int(value * 1e6) if usual else microseconds(value)

    @property
    def pending_elsewhere(self) -> float:
        row = self._pending_row
        pending_us: int = self._pending_beyond + sum(row) - row[self._mine]
        return pending_us / 1e6

    @pending_elsewhere.setter
    def pending_elsewhere(self, told: float) -> None:
        siblings = self._cell.pending_told_by_siblings if told else 0
        self._pending_beyond = max(0, microseconds(told) - siblings)
