"""The tables, and how a database of an older GenieHive becomes one of this."""

import secrets
from collections.abc import Callable

import peewee

from control.store.database import begin_write, database

APPLICATION = "geniehive"


class MetaRow(peewee.Model):
    """One fact about the store itself."""

    key = peewee.CharField(primary_key=True)
    value = peewee.TextField()

    class Meta:
        database = database
        table_name = "meta"


class HostRow(peewee.Model):
    """A registered machine. The row outlives the lease, so that control can expect it back."""

    host_id = peewee.CharField(primary_key=True)
    generation = peewee.IntegerField()
    definition = peewee.TextField()  # JSON of control.inventory.Host
    heartbeat_time = peewee.FloatField()  # seconds since 1970, UTC

    class Meta:
        database = database
        table_name = "hosts"


class ServiceRow(peewee.Model):
    """A service of a machine."""

    service_id = peewee.CharField(primary_key=True)
    # Not lazy: the attribute is the id itself, never a query.
    host_id = peewee.ForeignKeyField(
        HostRow, on_delete="CASCADE", column_name="host_id", lazy_load=False
    )
    definition = peewee.TextField()  # JSON of control.inventory.Service

    class Meta:
        database = database
        table_name = "services"


class UsageRow(peewee.Model):
    """How often something was measured of a service and an asset on one day."""

    day = peewee.IntegerField()  # since 1970, UTC
    service_id = peewee.CharField()  # may outlive the service
    asset_id = peewee.CharField()
    measure = peewee.CharField()  # see control.measured
    count = peewee.BigIntegerField()

    class Meta:
        database = database
        table_name = "usage"
        primary_key = peewee.CompositeKey("day", "service_id", "asset_id", "measure")
        without_rowid = True


class ReporterRow(peewee.Model):
    """A gateway process that reports usage, and how much of it is counted."""

    reporter_id = peewee.CharField(primary_key=True)
    sequence = peewee.BigIntegerField()  # of the last batch that was counted
    day = peewee.IntegerField()  # when that was, since 1970, UTC

    class Meta:
        database = database
        table_name = "reporters"


class BenchmarkSampleRow(peewee.Model):
    """What one run of a benchmark workload found."""

    benchmark_id = peewee.CharField(primary_key=True)
    service_id = peewee.CharField()  # may be of a service that was never there
    asset_id = peewee.CharField()
    workload = peewee.CharField()
    observed_at = peewee.FloatField()  # seconds since 1970, UTC
    results = peewee.TextField()  # JSON, by name
    digest = peewee.CharField()

    class Meta:
        database = database
        table_name = "benchmark_samples"
        indexes = (
            (("service_id", "asset_id", "workload", "observed_at", "benchmark_id"), False),
            (("observed_at", "benchmark_id"), False),
        )


class DrainRow(peewee.Model):
    """A host or a service that an operator sends nothing new."""

    name = peewee.CharField(primary_key=True)  # may outlive what it names
    since = peewee.FloatField()  # seconds since 1970, UTC
    principal = peewee.CharField()  # who drained it

    class Meta:
        database = database
        table_name = "drains"


class SchemaError(Exception):
    """The file holds something that this GenieHive cannot use."""


def migrate() -> None:
    """Bring the database to the schema of this GenieHive, all steps or none.

    Raises:
        SchemaError: a newer GenieHive, or another program, made the database.
    """
    with begin_write():
        version = schema_version()
        if version > len(MIGRATIONS):
            raise SchemaError(
                f"made by a newer GenieHive (schema {version}, this one knows {len(MIGRATIONS)});"
                " upgrade GenieHive, or use another storage.sqlite_path"
            )
        for step in MIGRATIONS[version:]:
            step()
        MetaRow.insert(
            key="schema_version", value=str(len(MIGRATIONS))
        ).on_conflict_replace().execute()


def schema_version() -> int:
    """Return the schema of the database, 0 for an empty one.

    Raises:
        SchemaError: another program made the database.
    """
    tables = database.get_tables()
    if not tables:
        return 0
    row = MetaRow.get_or_none(MetaRow.key == "schema_version") if "meta" in tables else None
    if row is None or not row.value.isdecimal():
        raise SchemaError("not a database of this GenieHive; use another storage.sqlite_path")
    return int(row.value)


def _create() -> None:
    database.create_tables([MetaRow, HostRow, ServiceRow])
    MetaRow.insert(key="application", value=APPLICATION).execute()
    MetaRow.insert(key="store_id", value=secrets.token_hex(16)).execute()
    # Static keys are hashed with it, so that a copy of what gateways hold tells no key.
    MetaRow.insert(key="key_hash_secret", value=secrets.token_hex(32)).execute()


def _add_usage() -> None:
    database.create_tables([UsageRow, ReporterRow])


def _add_benchmark_samples() -> None:
    database.create_tables([BenchmarkSampleRow])


def _add_drains() -> None:
    database.create_tables([DrainRow])


# The schema version is the number of steps done. Steps are never changed, only added.
MIGRATIONS: list[Callable[[], None]] = [_create, _add_usage, _add_benchmark_samples, _add_drains]
