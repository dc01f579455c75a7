"""The cluster as text: totals, what is worst first, and what to do about it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory

from cli import measured
from cli.cluster import Cluster
from cli.output import clean
from cli.table import Row, table
from cli.text import age, gigabytes, plural

NUMBERS = frozenset({"FREE MEM", "BUSY", "WAIT", "CONTEXT", *measured.TITLES})
UNUSABLE_SHOWN = 5
LOST, DOWN, RETURNING, LOADING, WAITING, UP = range(6)
COLORS = {LOST: "red", DOWN: "red", RETURNING: "yellow", LOADING: "yellow", WAITING: "yellow"}
OPERATIONS = {
    inventory.OPERATION_CHAT: "chat",
    inventory.OPERATION_EMBEDDINGS: "embeddings",
    inventory.OPERATION_TRANSCRIPTION: "transcription",
}
HOST_STATES = {
    inventory.HOST_STATE_ONLINE: "online",
    inventory.HOST_STATE_RETURNING: "returning",
    inventory.HOST_STATE_LOST: "lost",
}
HEALTHS = {
    inventory.HEALTH_HEALTHY: "healthy",
    inventory.HEALTH_LOADING: "loading",
    inventory.HEALTH_UNHEALTHY: "unhealthy",
}
AVAILABILITIES = {
    inventory.AVAILABILITY_UNSPECIFIED: "available",
    inventory.AVAILABILITY_AVAILABLE: "available",
    inventory.AVAILABILITY_BUSY: "busy",
    inventory.AVAILABILITY_DRAINING: "draining",
    inventory.AVAILABILITY_PAUSED_BY_USER: "paused_by_user",
    inventory.AVAILABILITY_OFFLINE: "offline",
    inventory.AVAILABILITY_QUARANTINED: "quarantined",
}


def healthy(cluster: Cluster) -> bool:
    """Return whether every known host is heard and every service serves."""
    return (
        bool(cluster.services)
        and not cluster.health.spared_host_count
        and all(host.state == inventory.HOST_STATE_ONLINE for host in cluster.hosts)
        and all(status.routable for status in cluster.services)
    )


def render(
    cluster: Cluster,
    now: datetime,
    *,
    color: bool = False,
    assets: bool = False,
    width: int | None = None,
) -> str:
    """Return the screen.

    now: aware; assets: also a table of every asset; width: of a terminal, in cells.
    """
    parts = [summary(cluster)]
    if cluster.hosts:
        parts.append(_services(cluster, now, color, width))
    if assets and any(status.service.assets for status in cluster.services):
        parts.append("\n" + _assets(cluster, width))
    parts += [f"! {hint}" for hint in hints(cluster, now)]
    return "\n".join(parts)


def summary(cluster: Cluster) -> str:
    """Return the totals, as one line."""
    health = cluster.health
    waiting = sum(status.service.observation.queue_depth for status in cluster.services)
    routes_age = age(health.route_age.ToTimedelta().total_seconds())
    return " | ".join(
        [
            f"{health.online_host_count} of {plural(health.host_count, 'host')} up",
            f"{plural(health.asset_count, 'model')}, {health.loaded_asset_count} loaded",
            f"{health.in_flight} in flight, {waiting} waiting",
            f"routes v{health.route_version}, {routes_age} old",
        ]
    )


def hints(cluster: Cluster, now: datetime) -> list[str]:
    """Return what is wrong and what to look at, worst first."""
    found = []
    for host in cluster.hosts:
        if host.state == inventory.HOST_STATE_LOST:
            seen = host.heartbeat_time.ToDatetime(UTC).astimezone(now.tzinfo)
            place = f" at {clean(host.address)}" if host.address else ""
            found.append(
                f"{clean(host.host_id)}: last seen {seen:%H:%M:%S}{place}; "
                "check its power and node log"
            )
    hosts = {host.host_id: host for host in cluster.hosts}
    for status in cluster.services:
        service = status.service
        owner = hosts.get(service.host_id)
        if owner is not None and severity(status, owner) == DOWN:
            url = f"{service.endpoint.scheme}://{service.endpoint.address}"
            why = service.observation.detail or "unhealthy"
            found.append(f"{clean(service.service_id)}: {clean(f'{url} {why}')}")
    found += _unusual(cluster.health)
    found += _unusable(cluster.health.unusable_resources)
    if not cluster.hosts:
        found.append("no hosts yet: geniehive node --config FILE")
    elif not any(status.service.assets for status in cluster.services):
        found.append("no models yet: start a model server and name it in the node's services")
    return found


def _unusual(health: pb.GetClusterHealthResponse) -> list[str]:
    found = []
    if health.spared_host_count:
        found.append(
            f"{plural(health.spared_host_count, 'host')} silent and still routed to, because"
            " control itself may be cut off; check its network"
        )
    if health.held_back_count:
        found.append(
            f"{plural(health.held_back_count, 'service')} held back, for coming and going:"
            " called only for models that nobody else serves"
        )
    return found


def _unusable(resources: Mapping[str, str]) -> list[str]:
    shown = [
        f"{clean(name)}: a gateway cannot use it and serves what it had: {clean(reason)}"
        for name, reason in sorted(resources.items())[:UNUSABLE_SHOWN]
    ]
    more = len(resources) - len(shown)
    return shown + ([f"{plural(more, 'more route')} that a gateway cannot use"] if more else [])


def severity(status: pb.ServiceStatus, host: inventory.Host) -> int:
    """Return how bad a service is; the smallest is the worst."""
    if host.state == inventory.HOST_STATE_LOST:
        return LOST
    if host.state == inventory.HOST_STATE_RETURNING:
        return RETURNING
    health = status.service.observation.health
    if health == inventory.HEALTH_LOADING:
        return LOADING
    if health != inventory.HEALTH_HEALTHY:
        return DOWN
    return UP if status.routable else WAITING


def document(cluster: Cluster) -> Mapping[str, object]:
    """Return the cluster for programs. Fields are only ever added."""
    health = cluster.health
    services: dict[str, list[object]] = {}
    for status in cluster.services:
        services.setdefault(status.service.host_id, []).append(_service(status))
    return {
        "healthy": healthy(cluster),
        "in_flight": health.in_flight,
        "route_version": health.route_version,
        "route_age_s": health.route_age.ToTimedelta().total_seconds(),
        "settled": health.settled,
        "spared_hosts": health.spared_host_count,
        "held_back_services": health.held_back_count,
        "unusable_resources": dict(health.unusable_resources),
        "gateways": health.gateway_count,
        "control_version": health.control_version,
        "hosts": [
            {
                "host_id": host.host_id,
                "display_name": host.display_name,
                "address": host.address,
                "state": HOST_STATES.get(host.state, "unknown"),
                "heartbeat_time": host.heartbeat_time.ToDatetime(UTC).isoformat(),
                "memory_bytes": host.resources.memory_bytes,
                "memory_available_bytes": _told(host.metrics, "memory_available_bytes"),
                "services": services.get(host.host_id, []),
            }
            for host in cluster.hosts
        ],
    }


def _service(status: pb.ServiceStatus) -> Mapping[str, object]:
    service, seen = status.service, status.service.observation
    return {
        "service_id": service.service_id,
        "engine": service.engine,
        "endpoint": f"{service.endpoint.scheme}://{service.endpoint.address}"
        f"{service.endpoint.base_path}",
        "health": HEALTHS.get(seen.health, "unknown"),
        "availability": AVAILABILITIES.get(seen.availability, "unknown"),
        "detail": seen.detail,
        "routable": status.routable,
        "in_flight": status.in_flight,
        "queue_depth": _told(seen, "queue_depth"),
        "concurrency": service.concurrency or None,
        "measured": measured.document(status),
        "assets": [
            {
                "asset_id": asset.asset_id,
                "operations": [OPERATIONS.get(one, "unknown") for one in asset.operations],
                "loaded": asset.loaded,
                "context_tokens": asset.context_tokens or None,
            }
            for asset in service.assets
        ],
    }


def _told(
    message: inventory.HostMetrics | inventory.ServiceObservation, field: str
) -> int | float | None:
    value: int | float | None = getattr(message, field) if message.HasField(field) else None
    return value


def _services(cluster: Cluster, now: datetime, color: bool, width: int | None) -> str:
    rows = []
    hosts = {host.host_id: host for host in cluster.hosts}
    served = {status.service.host_id for status in cluster.services}
    # Where nothing was asked yet, two columns of nothing would only wrap the others.
    titles = ["HOST", "SERVICE", "STATE", "LOADED", "FREE MEM", "BUSY", "WAIT"]
    wide = any(status.HasField("measured") for status in cluster.services)
    titles += measured.TITLES if wide else ()
    for host in cluster.hosts:
        if host.host_id not in served:
            rank = LOST if host.state == inventory.HOST_STATE_LOST else UP
            cells = [host.host_id, "-", _host_state(host, now), "-", _free(host), "-", "-"]
            cells += measured.NOTHING if wide else ()
            rows.append(Row((rank, host.host_id, ""), cells, COLORS.get(rank, "")))
    for status in cluster.services:
        service = status.service
        found = hosts.get(service.host_id)
        if found is None:
            continue  # registered between our two questions; it shows next time
        rank = severity(status, found)
        name = service.service_id.removeprefix(f"{service.host_id}/")
        cells = [found.host_id, name, _state(status, found, rank, now)]
        cells += [_loaded(service, rank), _free(found), *_load(status, rank)]
        cells += measured.cells(status) if wide else ()
        rows.append(Row((rank, found.host_id, name), cells, COLORS.get(rank, "")))
    colored = "STATE" if color else ""
    return table(titles, rows, numbers=NUMBERS, colored=colored, width=width)


def _assets(cluster: Cluster, width: int | None) -> str:
    rows = []
    for status in cluster.services:
        service = status.service
        name = service.service_id.removeprefix(f"{service.host_id}/")
        for place, asset in enumerate(service.assets):
            operations = ",".join(OPERATIONS.get(one, "?") for one in asset.operations)
            context = str(asset.context_tokens) if asset.context_tokens else "?"
            loaded = "yes" if asset.loaded else "no"
            cells = [service.host_id, name, asset.asset_id, operations, loaded, context]
            rows.append(Row((service.host_id, name, place), cells))
    titles = ["HOST", "SERVICE", "ASSET", "OPERATION", "LOADED", "CONTEXT"]
    return table(titles, rows, numbers=NUMBERS, width=width)


def _host_state(host: inventory.Host, now: datetime) -> str:
    if host.state == inventory.HOST_STATE_LOST:
        silent = (now - host.heartbeat_time.ToDatetime(UTC)).total_seconds()
        return f"lost {age(silent)}: no heartbeat"
    return "returning" if host.state == inventory.HOST_STATE_RETURNING else "up"


def _state(status: pb.ServiceStatus, host: inventory.Host, rank: int, now: datetime) -> str:
    seen = status.service.observation
    detail = seen.detail
    availability = AVAILABILITIES.get(seen.availability, "unknown")
    if rank in {WAITING, UP} and availability != "available":
        return availability.replace("_", " ")
    words = {
        LOST: _host_state(host, now),
        DOWN: f"down: {detail}" if detail else "down",
        RETURNING: "returning: not heard since control started",
        LOADING: "loading",
        WAITING: f"up, {detail or 'not routed'}",
        UP: "up",
    }
    return words[rank]


def _loaded(service: inventory.Service, rank: int) -> str:
    total = len(service.assets)
    if rank in {LOST, RETURNING, DOWN}:
        return f"?/{total}"
    names = [asset.asset_id for asset in service.assets if asset.loaded]
    first = f" {names[0]}" if names else ""
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return f"{len(names)}/{total}{first}{more}"


def _free(host: inventory.Host) -> str:
    if host.state != inventory.HOST_STATE_ONLINE:
        return "?"
    free = _told(host.metrics, "memory_available_bytes")
    return "?" if free is None else gigabytes(free)


def _load(status: pb.ServiceStatus, rank: int) -> Sequence[str]:
    if rank in {LOST, RETURNING, DOWN}:
        return ["?", "?"]
    waiting = _told(status.service.observation, "queue_depth")
    slots = status.service.concurrency or "?"
    return [f"{status.in_flight}/{slots}", "?" if waiting is None else str(waiting)]
