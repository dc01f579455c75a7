"""Hosts and their services as they are kept between lives of control."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import msgspec

from control.inventory import Host, Service
from control.store.database import database
from control.store.schema import HostRow, ServiceRow


@dataclass(frozen=True, slots=True)
class StoredHost:
    """A host and all its services."""

    host: Host
    generation: int
    heartbeat_time: float  # seconds since 1970, UTC
    services: tuple[Service, ...] = ()


def save(hosts: Iterable[StoredHost], removed: Collection[str]) -> None:
    """Make the store hold `hosts` as they are now, and `removed` no more; never a key."""
    changed = list(hosts)
    # Plain statements: hundreds of hosts may come at once, and models take six times as long.
    connection = database.connection()
    connection.executemany("DELETE FROM hosts WHERE host_id = ?", ((one,) for one in removed))
    connection.executemany(
        "INSERT INTO hosts (host_id, generation, definition, heartbeat_time) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (host_id) DO UPDATE SET generation = excluded.generation,"
        " definition = excluded.definition, heartbeat_time = excluded.heartbeat_time",
        (
            (one.host.host_id, one.generation, _encode(one.host), one.heartbeat_time)
            for one in changed
        ),
    )
    connection.executemany(
        "DELETE FROM services WHERE host_id = ?", ((one.host.host_id,) for one in changed)
    )
    connection.executemany(
        "INSERT INTO services (service_id, host_id, definition) VALUES (?, ?, ?)",
        (
            (service.service_id, one.host.host_id, _encode(_without_secrets(service)))
            for one in changed
            for service in one.services
        ),
    )


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


def _without_secrets(service: Service) -> Service:
    return replace(service, api_key="", endpoint=service.endpoint.without_secrets())


def _encode(value: Host | Service) -> str:
    return msgspec.json.encode(value).decode()
