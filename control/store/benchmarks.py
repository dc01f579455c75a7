"""Samples of benchmarks: taken once by id, the newest of each kind kept, listed newest first."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from control.benchmarks.samples import Sample
from control.store.database import database
from control.store.schema import BenchmarkSampleRow

KEPT = 200  # of each workload against each asset of each service
MAX_KEPT = 200_000  # in all

_COLUMNS = "benchmark_id, service_id, asset_id, workload, observed_at, results, digest"
# Plain statements: ten thousand come at once, and models take ten times as long.
_TAKE = f"""
INSERT INTO benchmark_samples ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (benchmark_id) DO UPDATE SET service_id = excluded.service_id,
asset_id = excluded.asset_id, workload = excluded.workload,
observed_at = excluded.observed_at, results = excluded.results, digest = excluded.digest
"""
_PRUNE_KIND = """
DELETE FROM benchmark_samples WHERE benchmark_id IN (
    SELECT benchmark_id FROM benchmark_samples
    WHERE service_id = ? AND asset_id = ? AND workload = ?
    ORDER BY observed_at DESC, benchmark_id LIMIT -1 OFFSET ?
) RETURNING benchmark_id
"""
_PRUNE_ALL = """
DELETE FROM benchmark_samples WHERE benchmark_id IN (
    SELECT benchmark_id FROM benchmark_samples
    ORDER BY observed_at DESC, benchmark_id LIMIT -1 OFFSET ?
) RETURNING benchmark_id
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of samples. removed: ids of those that gave way, new ones among them."""

    created: int
    replaced: int
    removed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which samples are listed; empty for any."""

    service_id: str = ""
    asset_id: str = ""
    workload: str = ""


Place = tuple[float, str]  # of a sample in the list: when it was observed, and its id


def take(samples: Sequence[Sample], most: int = MAX_KEPT) -> Taken:
    """Keep `samples`, each id once, and of all that are kept the newest, at most `most`."""
    connection = database.connection()
    before = _count()
    connection.executemany(
        _TAKE,
        (
            (
                *(one.benchmark_id, one.service_id, one.asset_id, one.workload),
                *(one.observed_at, msgspec.json.encode(one.results).decode(), one.digest),
            )
            for one in samples
        ),
    )
    after = _count()
    removed: set[str] = set()
    for kind in dict.fromkeys((one.service_id, one.asset_id, one.workload) for one in samples):
        removed.update(one for (one,) in connection.execute(_PRUNE_KIND, (*kind, KEPT)))
    if after - len(removed) > most:
        removed.update(one for (one,) in connection.execute(_PRUNE_ALL, (most,)))
    created = after - before
    return Taken(created, len(samples) - created, frozenset(removed))


def listed(wanted: Filter, after: Place | None, limit: int) -> list[Sample]:
    """Return samples, the newest first, then by id; those that come after a place."""
    conditions, values = ["1"], list[object]()
    for column, value in (
        ("service_id", wanted.service_id),
        ("asset_id", wanted.asset_id),
        ("workload", wanted.workload),
    ):
        if value:
            conditions.append(f"{column} = ?")
            values.append(value)
    if after is not None:
        conditions.append("(observed_at < ? OR (observed_at = ? AND benchmark_id > ?))")
        values += [after[0], *after]
    rows = database.connection().execute(
        f"SELECT {_COLUMNS} FROM benchmark_samples WHERE {' AND '.join(conditions)}"
        " ORDER BY observed_at DESC, benchmark_id LIMIT ?",
        (*values, limit),
    )
    return list(_samples(rows))


def load() -> Iterator[Sample]:
    """Yield all samples."""
    rows = database.connection().execute(f"SELECT {_COLUMNS} FROM benchmark_samples")
    return _samples(rows)


def _samples(rows: Iterable[tuple[str, str, str, str, float, str, str]]) -> Iterator[Sample]:
    for benchmark_id, service_id, asset_id, workload, observed_at, results, digest in rows:
        yield Sample(
            benchmark_id,
            service_id,
            asset_id,
            workload,
            observed_at,
            msgspec.json.decode(results, type=dict[str, object]),
            digest,
        )


def _count() -> int:
    return int(BenchmarkSampleRow.select().count())
