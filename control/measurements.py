"""Keeps what gateways measured: in the store for long, of yesterday and today in memory."""

import asyncio
from collections.abc import Callable, Sequence

from control.measured import DAY_S, MAX_SHOWN, Counts, shown_days
from control.store import usage
from control.store.database import Writer

KEPT_DAYS = 90

Increment = tuple[usage.Pair, Counts]


class Measurements:
    """Adds batches to the totals, each once, and tells those of a service.

    wall_time: now, in seconds since 1970. shown: what the store has of the days that
    are shown; added to from now on. follow: called with what was counted of a service.
    """

    def __init__(
        self,
        writer: Writer,
        wall_time: Callable[[], float],
        shown: usage.Totals,
        follow: Callable[[str, Counts], None] = lambda service_id, counts: None,
    ) -> None:
        self._writer = writer
        self._wall_time = wall_time
        self._days = shown
        self._follow = follow
        self._cleared: int | None = None  # the day on which old totals were removed
        self._adding: set[asyncio.Task[None]] = set()

    @property
    def since(self) -> float:
        """The beginning of what `of` tells, in seconds since 1970."""
        return float(shown_days(self._wall_time())[0] * DAY_S)

    def of(self, service_id: str) -> Counts:
        """Return what was measured of a service, over all its assets, since `since`."""
        total = Counts()
        for day in shown_days(self._wall_time()):
            total.update(self._days.get(day, {}).get(service_id, {}))
        return total

    async def add(self, reporter_id: str, sequence: int, batch: Sequence[Increment]) -> None:
        """Return when the batch of this sequence is durable; it counts once.

        Raises:
            StorageUnavailable: the disk did not take it.
        """
        # Whoever asks may go away while the disk works: what is stored must be shown, too.
        adding = asyncio.ensure_future(self._add(reporter_id, sequence, batch))
        self._adding.add(adding)
        adding.add_done_callback(self._adding.discard)
        await asyncio.shield(adding)

    async def _add(self, reporter_id: str, sequence: int, batch: Sequence[Increment]) -> None:
        shown = shown_days(self._wall_time())
        today = shown[-1]
        if today != self._cleared:
            await self._writer.run(usage.forget, today, KEPT_DAYS)
            self._days = {day: held for day, held in self._days.items() if day >= shown[0]}
            self._cleared = today
        if await self._writer.run(usage.add, reporter_id, sequence, today, batch):
            for (service_id, _), added in batch:
                if (counts := self._counts(today, service_id)) is not None:
                    counts.update(added)
                self._follow(service_id, added)

    def _counts(self, day: int, service_id: str) -> Counts | None:
        """Return the counts of a service on a day, to be added to; None when they are too many."""
        services = self._days.setdefault(day, {})
        if service_id not in services and len(services) < MAX_SHOWN:
            services[service_id] = Counts()
        return services.get(service_id)
