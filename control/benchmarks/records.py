"""What runs of benchmarks say of services, now: which of them count, and how they fade.

All that is kept in the store is here in short. What is said of a service is made when it is
asked for, and made again when a run comes, when its weights change, and as time goes by.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nlargest
from math import inf

from control.benchmarks.samples import KeptRun
from control.inventory import Service
from control.ranking.benchmarks import NO_FINDINGS, Findings
from control.ranking.presets import SEED, Runs, Scoring
from control.ranking.runs import Collapsed, Run, collapsed, fades_at, findings, freshness
from control.ranking.subject import UNTRIED

# Pairs of an asset and a workload that count, of each service, the newest.
MAX_PAIRS = 200
# Services in one go: looked at, 0.1 us each, and of these, asked for anew, 20 us each.
SLICE, MAX_FADED = 2_000, 50

Pair = tuple[str, str]  # asset, empty for any of the service, and workload
# Weights that no run of a service names: of whatever number, they are all alike. No digest.
_OTHERS = "\0"


@dataclass(slots=True)
class _Said:
    """What was said of a service, as it was defined, at a time and until another."""

    service: Service
    findings: Mapping[str, Findings]
    since: float
    until: float

    def holds(self, now: float) -> bool:
        """Return whether the same would be said now."""
        # A clock that was set back makes count again what had faded.
        return self.since <= now < self.until


@dataclass(slots=True)
class _Record:
    """The runs of a service. collapsed: by workload, of an asset with its weights.

    digests: that runs name; None while that is to be found out.
    """

    pairs: dict[Pair, dict[str, Run]] = field(default_factory=lambda: defaultdict(dict))
    collapsed: dict[str, dict[Pair, Collapsed]] = field(default_factory=lambda: defaultdict(dict))
    digests: frozenset[str] | None = None
    said: _Said | None = None

    def changed(self, workload: str) -> None:
        """Forget what was made of the runs of a workload."""
        self.collapsed.pop(workload, None)
        self.digests = None
        self.said = None

    def weights(self, digest: str) -> str:
        """Return what tells weights from others, as far as runs do; empty when unknown."""
        if self.digests is None:
            every = (run.digest for runs in self.pairs.values() for run in runs.values())
            self.digests = frozenset(every)
        return digest if not digest or digest in self.digests else _OTHERS


class TrackRecords:
    """Runs of all services, registered or not, by id of their samples.

    wall_time: now, in seconds since 1970. kept: what the store has.
    """

    def __init__(
        self, wall_time: Callable[[], float] = time.time, kept: Iterable[KeptRun] = ()
    ) -> None:
        self._wall_time = wall_time
        self._scoring = SEED
        self._kept: dict[str, KeptRun] = {}
        self._records: dict[str, _Record] = {}
        self._changed: set[str] = set()
        self._turns: list[str] = []  # services to be looked at, until all were
        for one in kept:
            self.put(one)

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self._kept)

    @property
    def now(self) -> float:
        """Return the time by which runs have an age, in seconds since 1970."""
        return self._wall_time()

    def put(self, one: KeptRun) -> None:
        """Take over a run, instead of what had its id."""
        if self._kept.get(one.benchmark_id) == one:
            return
        self.drop(one.benchmark_id)
        self._kept[one.benchmark_id] = one
        if (record := self._records.get(one.service_id)) is None:
            record = self._records[one.service_id] = _Record()
        record.pairs[one.run.asset_id, one.run.workload][one.benchmark_id] = one.run
        record.changed(one.run.workload)
        self._changed.add(one.service_id)

    def drop(self, benchmark_id: str) -> None:
        """Forget a run, if it is there."""
        if (one := self._kept.pop(benchmark_id, None)) is None:
            return
        pair = one.run.asset_id, one.run.workload
        record = self._records[one.service_id]
        del record.pairs[pair][benchmark_id]
        if not record.pairs[pair]:
            del record.pairs[pair]
        if not record.pairs:
            del self._records[one.service_id]
        record.changed(one.run.workload)
        self._changed.add(one.service_id)

    def kept(self, benchmark_id: str) -> KeptRun | None:
        """Return the run of a sample, None when it is not kept."""
        return self._kept.get(benchmark_id)

    def rule(self, scoring: Scoring) -> None:
        """Judge runs by `scoring` from now on."""
        before, self._scoring = self._scoring, scoring
        if (before.benchmark, before.ascii_words) == (scoring.benchmark, scoring.ascii_words):
            return
        for record in self._records.values():
            record.collapsed.clear()
            record.said = None
        self._changed.update(self._records)

    def take_changed(self) -> set[str]:
        """Return the services of which something else is said since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def look(self) -> None:
        """Find out of which services time changed what is said; a bounded part in one go."""
        now = self._wall_time()
        if not self._turns:
            self._turns = list(self._records)
        faded = 0
        for _ in range(min(SLICE, len(self._turns))):
            record = self._records.get(self._turns.pop())
            if record and record.said and not record.said.holds(now):
                self.of(record.said.service)
                faded += 1
                if faded == MAX_FADED:
                    break

    def of(self, service: Service) -> Mapping[str, Findings]:
        """Return what runs say of the assets of a service, by id; only of those they speak of."""
        record = self._records.get(service.service_id)
        if record is None:
            return UNTRIED
        now = self._wall_time()
        before = record.said
        if before is not None and before.service is service and before.holds(now):
            return before.findings
        said = record.said = self._say(record, service, now)
        if before is not None and before.findings != said.findings:
            self._changed.add(service.service_id)
        return said.findings

    def weight(self, benchmark_id: str, service: Service | None) -> float:
        """Return how much a sample counts, 0 to 1. service: its own, None if it is not there."""
        if (one := self._kept.get(benchmark_id)) is None:
            return 0.0
        run = one.run
        record, scoring = self._records[one.service_id], self._scoring
        assets = () if service is None else service.assets
        meant = (asset for asset in assets if run.asset_id in ("", asset.asset_id))
        benchmark = scoring.benchmark
        for digest in {record.weights(asset.digest) for asset in meant} or {""}:
            if run.digest and digest and run.digest != digest:
                continue
            counting = _collapsed(record, (run.asset_id, digest), run.workload, scoring)
            newest = counting.points[0].observed_at
            if benchmark.runs is Runs.BEST or newest == run.observed_at:
                return freshness(self._wall_time() - run.observed_at, benchmark.half_life)
        return 0.0

    def _say(self, record: _Record, service: Service, now: float) -> _Said:
        scoring = self._scoring
        by_asset = _by_asset(record)
        of_any = by_asset.pop("", ())
        made: dict[tuple[str, str], Findings] = {}
        found, until = {}, inf
        for asset in service.assets:
            own = by_asset.get(asset.asset_id, ())
            if not (own or of_any):
                continue
            # Assets without runs of their own are told apart by their weights alone.
            key = asset.asset_id if own else "", record.weights(asset.digest)
            if key not in made:
                each = {
                    workload: _collapsed(record, key, workload, scoring)
                    for workload in dict.fromkeys((*own, *of_any))
                }
                made[key] = findings(each, scoring, now)
                until = min(until, fades_at(each, scoring.benchmark.half_life, now))
            if made[key] != NO_FINDINGS:
                found[asset.asset_id] = made[key]
        return _Said(service, found or UNTRIED, now, until)


def _by_asset(record: _Record) -> dict[str, list[str]]:
    """Return the workloads that count of each asset."""
    pairs: Iterable[Pair] = record.pairs
    if len(record.pairs) > MAX_PAIRS:
        pairs = nlargest(MAX_PAIRS, record.pairs, key=lambda pair: (_newest(record, pair), pair))
    by_asset: dict[str, list[str]] = defaultdict(list)
    for asset_id, workload in pairs:
        by_asset[asset_id].append(workload)
    return by_asset


def _newest(record: _Record, pair: Pair) -> float:
    return max(run.observed_at for run in record.pairs[pair].values())


def _collapsed(record: _Record, key: tuple[str, str], workload: str, scoring: Scoring) -> Collapsed:
    """Return what counts of a workload. key: asset, empty for any, and what tells its weights."""
    asset_id, digest = key
    own = record.pairs.get((asset_id, workload), {}) if asset_id else {}
    key = asset_id if own else "", digest
    held = record.collapsed[workload]
    if key not in held:
        runs = [*record.pairs.get(("", workload), {}).values(), *own.values()]
        held[key] = collapsed(runs, digest, scoring.benchmark)
    return held[key]
