"""What is drained, as it is kept between lives of control."""

from control.drains import Drain
from control.store.schema import DrainRow


def add(drain: Drain) -> None:
    """Keep a drain; one of the same name that is kept stays."""
    DrainRow.insert(
        name=drain.name, since=drain.since, principal=drain.by
    ).on_conflict_ignore().execute()


def remove(name: str) -> None:
    """Keep the drain of a name no more."""
    DrainRow.delete().where(DrainRow.name == name).execute()


def load() -> list[Drain]:
    """Return all drains, ordered by name."""
    rows = DrainRow.select().order_by(DrainRow.name)
    return [Drain(row.name, row.since, row.principal) for row in rows]
