"""Totals of what gateways measured, by day, and up to where each reporter was heard."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping

from peewee import fn

from control.store.database import database
from control.store.schema import ReporterRow, UsageRow

Pair = tuple[str, str]  # service id and asset id
Totals = dict[int, dict[str, Counter[str]]]  # by day, service id and measure

MAX_TOTAL = 2**62  # an integer of SQLite that grows past 2^63 would become a fraction

_ADD = f"""
INSERT INTO usage (day, service_id, asset_id, measure, count) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (day, service_id, asset_id, measure)
DO UPDATE SET count = MIN(usage.count + excluded.count, {MAX_TOTAL})
"""


def add(
    reporter_id: str, sequence: int, day: int, increments: Iterable[tuple[Pair, Mapping[str, int]]]
) -> bool:
    """Add a batch to the totals of `day`, unless it was added before; return whether it was not.

    day: days since 1970, UTC. The reporter's place is kept in the same transaction,
    so that a batch whose acknowledgement got lost counts once.
    """
    reporter = ReporterRow.get_or_none(ReporterRow.reporter_id == reporter_id)
    if reporter is not None and reporter.sequence >= sequence:
        return False
    database.connection().executemany(
        _ADD,
        (
            (day, service_id, asset_id, measure, count)
            for (service_id, asset_id), counts in increments
            for measure, count in counts.items()
        ),
    )
    place = {"sequence": sequence, "day": day}
    ReporterRow.insert(reporter_id=reporter_id, **place).on_conflict(
        conflict_target=[ReporterRow.reporter_id], update=place
    ).execute()
    return True


def forget(today: int, kept: int) -> None:
    """Remove the totals of days more than `kept` before `today`, and reporters not heard since.

    Before the last day that has totals, where that is earlier: a clock that is wrong
    for once must not take all of them.
    """
    last = UsageRow.select(fn.MAX(UsageRow.day)).scalar()
    before = (today if last is None else min(today, last)) - kept
    UsageRow.delete().where(UsageRow.day < before).execute()
    ReporterRow.delete().where(ReporterRow.day < before).execute()


def totals(days: range, most: int) -> Totals:
    """Return the totals of `days`, over all assets; of the first `most` services of each."""
    found: Totals = {day: {} for day in days}
    # 1 us a row, where a model's takes 4, and one after the other: a large fleet has
    # hundreds of thousands.
    rows = database.connection().execute(
        "SELECT day, service_id, measure, count FROM usage WHERE day BETWEEN ? AND ?",
        (days[0], days[-1]),
    )
    for day, service_id, measure, count in rows:
        services = found[day]
        if service_id not in services:
            if len(services) == most:
                continue
            services[service_id] = Counter()
        services[service_id][sys.intern(measure)] += count
    return found
