"""Totals of what gateways measured, by day, and up to where each reporter was heard."""

from collections.abc import Iterable, Mapping
from typing import cast

from peewee import fn

from control.store.database import database
from control.store.schema import ReporterRow, UsageRow

Pair = tuple[str, str]  # service id and asset id
Total = tuple[int, str, str, int]  # day, service id, measure, count

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


def forget(before: int) -> None:
    """Remove the totals of days before `before`, and reporters not heard since."""
    UsageRow.delete().where(UsageRow.day < before).execute()
    ReporterRow.delete().where(ReporterRow.day < before).execute()


def latest(days: int) -> list[Total]:
    """Return the totals of the last day that has some, and of the `days` - 1 before it."""
    last = UsageRow.select(fn.MAX(UsageRow.day)).scalar()
    if last is None:
        return []
    # 1 us a row, where a model's takes 4: a large fleet has hundreds of thousands.
    rows = database.connection().execute(
        "SELECT day, service_id, measure, count FROM usage WHERE day > ?", (last - days,)
    )
    return cast(list[Total], rows.fetchall())
