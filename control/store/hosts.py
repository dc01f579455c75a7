"""Hosts and their services as they are kept between lives of control."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec
import peewee

from control.inventory import Host, Service
from control.store.database import database
from control.store.schema import HostRow, ServiceRow

ROWS_PER_INSERT = 100  # 4 times faster than one by one, and far from SQLite's limits


@dataclass(frozen=True, slots=True)
class StoredHost:
    """A host and all its services."""

    host: Host
    generation: int
    heartbeat_time: float  # seconds since 1970, UTC
    services: tuple[Service, ...] = ()


def save(hosts: Iterable[StoredHost], removed: Collection[str]) -> None:
    """Make the store hold `hosts` as they are now, and `removed` no more."""
    if removed:
        # One statement a host: a list of any length would exceed SQLite's parameters.
        for host_id in removed:
            HostRow.delete().where(HostRow.host_id == host_id).execute()
    for stored in hosts:
        _save(stored)


def _save(stored: StoredHost) -> None:
    host_id = stored.host.host_id
    row = {
        "generation": stored.generation,
        "definition": _encode(stored.host),
        "heartbeat_time": stored.heartbeat_time,
    }
    HostRow.insert(host_id=host_id, **row).on_conflict(
        conflict_target=[HostRow.host_id], update=row
    ).execute()
    ServiceRow.delete().where(ServiceRow.host_id == host_id).execute()
    services = (
        {"service_id": one.service_id, "host_id": host_id, "definition": _encode(one)}
        for one in stored.services
    )
    for some in peewee.chunked(services, ROWS_PER_INSERT):
        ServiceRow.insert_many(some).execute()


def note_heartbeats(times: Iterable[tuple[str, float]]) -> None:
    """Store when each host was last heard of: (host id, seconds since 1970)."""
    # 2 us a row, where a model's `save` takes 340 us.
    database.connection().executemany(
        "UPDATE hosts SET heartbeat_time = ? WHERE host_id = ?",
        ((time, host_id) for host_id, time in times),
    )


def load() -> list[StoredHost]:
    """Return all hosts, ordered by id."""
    services: dict[str, list[Service]] = {}
    for row in ServiceRow.select().order_by(ServiceRow.service_id):
        service = msgspec.json.decode(row.definition, type=Service)
        services.setdefault(service.host_id, []).append(service)
    return [
        StoredHost(
            host=msgspec.json.decode(row.definition, type=Host),
            generation=row.generation,
            heartbeat_time=row.heartbeat_time,
            services=tuple(services.get(row.host_id, ())),
        )
        for row in HostRow.select().order_by(HostRow.host_id)
    ]


def _encode(value: Host | Service) -> str:
    return msgspec.json.encode(value).decode()
