"""Takes samples of benchmarks: into the store first, then into memory, where they count."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from control.benchmarks.records import TrackRecords
from control.benchmarks.samples import Sample, kept_run
from control.inventory import Service
from control.store import benchmarks
from control.store.benchmarks import Filter, Place, Taken
from control.store.database import Writer

# Samples in one go, about 5 us each; heartbeats are answered in between.
SLICE = 100


class SampleKeeping:
    """Takes samples, each call whole or not at all, and lists them.

    service: of an id, None when it is not registered.
    """

    def __init__(
        self, writer: Writer, records: TrackRecords, service: Callable[[str], Service | None]
    ) -> None:
        self._writer = writer
        self._records = records
        self._service = service
        # What is in memory must be what was stored last.
        self._turn = asyncio.Lock()
        self._taking: set[asyncio.Task[Taken]] = set()

    @property
    def busy(self) -> int:
        """How many calls bring samples that are not taken yet; who brought them may be gone."""
        return len(self._taking)

    async def take(self, samples: Sequence[Sample]) -> Taken:
        """Return when `samples` are durable, and count.

        Raises:
            StorageUnavailable: the disk did not take them; none of them is kept.
        """
        # Whoever asks may go away while the disk works: what is stored must count, too.
        taking = asyncio.ensure_future(self._take(samples))
        self._taking.add(taking)
        taking.add_done_callback(self._taking.discard)
        return await asyncio.shield(taking)

    async def listed(self, wanted: Filter, after: Place | None, limit: int) -> list[Sample]:
        """See `benchmarks.listed`."""
        return await self._writer.run(benchmarks.listed, wanted, after, limit)

    async def _take(self, samples: Sequence[Sample]) -> Taken:
        async with self._turn:
            whole = []
            for place, sample in enumerate(samples):
                whole.append(self._with_digest(sample))
                await _rest(place)
            taken = await self._writer.run(benchmarks.take, whole)
            for place, sample in enumerate(whole):
                self._records.put(kept_run(sample))
                await _rest(place)
            for place, benchmark_id in enumerate(taken.removed):
                self._records.drop(benchmark_id)
                await _rest(place)
            return taken

    def _with_digest(self, sample: Sample) -> Sample:
        """Return a sample with the weights that it is of, as far as that is known."""
        if sample.digest or not sample.asset_id:
            return sample
        kept = self._records.kept(sample.benchmark_id)
        if kept is not None and kept.run.observed_at == sample.observed_at:
            # It comes again, and the asset may have other weights by now.
            return replace(sample, digest=kept.run.digest)
        service = self._service(sample.service_id)
        for asset in service.assets if service else ():
            if asset.asset_id == sample.asset_id:
                return replace(sample, digest=asset.digest)
        return sample


async def _rest(place: int) -> None:
    if place % SLICE == SLICE - 1:
        await asyncio.sleep(0)
