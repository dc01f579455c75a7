"""Keeps what gateways measured: in the store for long, of yesterday and today in memory."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from control.measured import SHOWN_DAYS, Counts
from control.store import usage
from control.store.database import Writer

KEPT_DAYS = 90
MAX_SHOWN = 20_000  # services a day; above that they are stored, and not shown
DAY_S = 86_400

Increment = tuple[usage.Pair, Counts]


class Measurements:
    """Adds batches to the totals, each once, and tells those of a service.

    wall_time: now, in seconds since 1970. stored: what `usage.latest` found.
    """

    def __init__(
        self,
        writer: Writer,
        wall_time: Callable[[], float],
        stored: Iterable[usage.Total],
    ) -> None:
        self._writer = writer
        self._wall_time = wall_time
        self._days: dict[int, dict[str, Counts]] = {}
        self._cleared: int | None = None  # the day on which old totals were removed
        self._adding: set[asyncio.Task[None]] = set()
        for day, service_id, measure, count in stored:
            if (counts := self._counts(day, service_id)) is not None:
                counts[measure] += count

    @property
    def since(self) -> float:
        """The beginning of what `of` tells, in seconds since 1970."""
        return float((self._today() - SHOWN_DAYS + 1) * DAY_S)

    def of(self, service_id: str) -> Counts:
        """Return what was measured of a service, over all its assets, since `since`."""
        today = self._today()
        total = Counts()
        for day, services in self._days.items():
            if today - SHOWN_DAYS < day <= today:
                total.update(services.get(service_id, {}))
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
        today = self._today()
        if today != self._cleared:
            await self._writer.run(usage.forget, today - KEPT_DAYS)
            self._days = {d: held for d, held in self._days.items() if d > today - SHOWN_DAYS}
            self._cleared = today
        if await self._writer.run(usage.add, reporter_id, sequence, today, batch):
            for (service_id, _), added in batch:
                if (counts := self._counts(today, service_id)) is not None:
                    counts.update(added)

    def _counts(self, day: int, service_id: str) -> Counts | None:
        """Return the counts of a service on a day, to be added to; None when they are too many."""
        services = self._days.setdefault(day, {})
        if service_id not in services and len(services) < MAX_SHOWN:
            services[service_id] = Counts()
        return services.get(service_id)

    def _today(self) -> int:
        return int(self._wall_time() // DAY_S)
