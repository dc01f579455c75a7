"""The cluster as text: totals, what is worst first, and what to do about it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory

from cli import condition, measured
from cli.cluster import Cluster
from cli.condition import COLORS, DOWN
from cli.output import clean
from cli.table import Row, table
from cli.text import age, plural
from control.api import machine_documents
from control.api.cluster_documents import HEALTHS, HOST_STATES, learned, slowest
from control.api.route_documents import AVAILABILITIES, OPERATIONS, ejection, url

NUMBERS = frozenset({"FREE MEM", "BUSY", "WAIT", "CONTEXT", *measured.TITLES})
UNUSABLE_SHOWN = DRAINS_SHOWN = 5


def healthy(cluster: Cluster) -> bool:
    """Return whether every known host is heard, the catalog counts, and every service serves.

    Those that an operator drained need not.
    """
    return (
        bool(cluster.services)
        and not cluster.health.spared_host_count
        and not cluster.health.catalog_problem
        and all(host.state == inventory.HOST_STATE_ONLINE for host in cluster.hosts)
        and all(
            one.drained or (one.routable and not condition.kept_out(one))
            for one in cluster.services
        )
    )


def render(
    cluster: Cluster,
    now: datetime,
    *,
    color: bool = False,
    assets: bool = False,
    width: int | None = None,
    fixed: bool = False,
) -> str:
    """Return the screen.

    now: aware; assets: also a table of every asset; width: of a terminal, in cells;
    fixed: rows stay where they are, instead of the worst first.
    """
    parts = [summary(cluster)]
    if cluster.hosts:
        parts.append(_services(cluster, now, color=color, width=width, fixed=fixed))
    if assets and any(status.service.assets for status in cluster.services):
        parts.append("\n" + _assets(cluster, width))
    parts += [f"! {hint}" for hint in hints(cluster, now)]
    return "\n".join(parts)


def summary(cluster: Cluster) -> str:
    """Return the totals, as one line."""
    health = cluster.health
    inside = sum(status.service.observation.queue_depth for status in cluster.services)
    routes_age = age(health.route_age.ToTimedelta().total_seconds())
    return " | ".join(
        [
            f"{health.online_host_count} of {plural(health.host_count, 'host')} up",
            f"{plural(health.asset_count, 'model')}, {health.loaded_asset_count} loaded",
            f"{health.in_flight} in flight, {health.waiting + inside} waiting",
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
        if owner is not None and condition.severity(status, owner) == DOWN:
            place = f"{service.endpoint.scheme}://{service.endpoint.address}"
            found.append(clean(f"{service.service_id}: {place} {_why_down(status)}"))
    found += _drained(cluster.health.drains, now)
    found += _unusual(cluster.health)
    found += _unusable(cluster.health.unusable_resources)
    if not cluster.hosts:
        found.append("no hosts yet: geniehive node --config FILE")
    elif not any(status.service.assets for status in cluster.services):
        found.append("no models yet: start a model server and name it in the node's services")
    return found


def _why_down(status: pb.ServiceStatus) -> str:
    """Return what is wrong, and who says so where node and probes do not agree."""
    seen = status.service.observation
    if seen.health == inventory.HEALTH_HEALTHY:
        return f"healthy to its node, not to control: {status.probe.detail or 'unhealthy'}"
    return seen.detail or "unhealthy"


def _drained(drains: Sequence[pb.Drain], now: datetime) -> list[str]:
    shown = []
    for drain in drains[:DRAINS_SHOWN]:
        since = (now - drain.start_time.ToDatetime(UTC)).total_seconds()
        by = f" by {drain.principal_id}" if drain.principal_id != "anyone" else ""
        name = clean(drain.name)
        shown.append(f"{name}: drained {age(since)} ago{by}; undo: geniehive undrain {name}")
    more = len(drains) - len(shown)
    return shown + ([f"{plural(more, 'more name')} drained"] if more else [])


def _unusual(health: pb.GetClusterHealthResponse) -> list[str]:
    found = []
    if health.catalog_problem:
        first, _, more = health.catalog_problem.partition("\n")
        rest = f", and {plural(more.count(chr(10)) + 1, 'more problem')}" if more else ""
        found.append(f"routing stays as it was: {clean(first)}{rest}")
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
    if health.ejected_count:
        found.append(
            f"{plural(health.ejected_count, 'service')} ejected, because answers failed: gateways"
            " try again by themselves; the log of the engine says more"
        )
    return found


def _unusable(resources: Mapping[str, str]) -> list[str]:
    shown = [
        f"{clean(name)}: a gateway cannot use it and serves what it had: {clean(reason)}"
        for name, reason in sorted(resources.items())[:UNUSABLE_SHOWN]
    ]
    more = len(resources) - len(shown)
    return shown + ([f"{plural(more, 'more route')} that a gateway cannot use"] if more else [])


def document(cluster: Cluster) -> Mapping[str, object]:
    """Return the cluster for programs. Fields are only ever added."""
    health = cluster.health
    services: dict[str, list[object]] = {}
    for status in cluster.services:
        services.setdefault(status.service.host_id, []).append(_service(status))
    return {
        "healthy": healthy(cluster),
        "in_flight": health.in_flight,
        "waiting": health.waiting,
        "route_version": health.route_version,
        "route_age_s": health.route_age.ToTimedelta().total_seconds(),
        "settled": health.settled,
        "spared_hosts": health.spared_host_count,
        "held_back_services": health.held_back_count,
        "ejected_services": health.ejected_count,
        "catalog_problem": health.catalog_problem or None,
        "unusable_resources": dict(health.unusable_resources),
        "drains": [
            {
                "name": one.name,
                "since": one.start_time.ToDatetime(UTC).isoformat(),
                "by": one.principal_id,
            }
            for one in health.drains
        ],
        "gateways": health.gateway_count,
        "control_version": health.control_version,
        "hosts": [
            {
                "host_id": host.host_id,
                "display_name": host.display_name,
                "address": host.address,
                "state": HOST_STATES.get(host.state, "unknown"),
                "drained": host.drained,
                "heartbeat_time": host.heartbeat_time.ToDatetime(UTC).isoformat(),
                "memory_bytes": host.resources.memory_bytes,
                "memory_available_bytes": _told(host.metrics, "memory_available_bytes"),
                "gpus": machine_documents.resources(host)["gpus"],
                "gpu_metrics": machine_documents.metrics(host.metrics)["gpus"],
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
        "engine_version": service.engine_version or None,
        "endpoint": url(service.endpoint),
        "health": HEALTHS.get(condition.health(status), "unknown"),
        "reported_health": HEALTHS.get(seen.health, "unknown"),
        "availability": AVAILABILITIES.get(seen.availability, "available"),
        "detail": seen.detail,
        "routable": status.routable,
        "drained": status.drained,
        "ejection": ejection(status),
        "in_flight": status.in_flight,
        "waiting": status.waiting,
        "queue_depth": _told(seen, "queue_depth"),
        "kv_cache_utilization": _told(seen, "kv_cache_utilization"),
        "vram_used_bytes": _told(seen, "vram_used_bytes"),
        "p95_latency_ms": slowest(status),
        "concurrency": service.concurrency or None,
        "measured": measured.document(status),
        "learned": [learned(one) for one in status.learned],
        "assets": [
            {
                "asset_id": asset.asset_id,
                "operations": [OPERATIONS.get(one, "unknown") for one in asset.operations],
                "loaded": asset.loaded,
                "context_tokens": asset.context_tokens or None,
                "capabilities": list(asset.capabilities),
            }
            for asset in service.assets
        ],
    }


def _told(
    message: inventory.HostMetrics | inventory.ServiceObservation, field: str
) -> int | float | None:
    value: int | float | None = getattr(message, field) if message.HasField(field) else None
    return value


def _services(
    cluster: Cluster, now: datetime, *, color: bool, width: int | None, fixed: bool
) -> str:
    rows = []
    hosts = {host.host_id: host for host in cluster.hosts}
    served = {status.service.host_id for status in cluster.services}
    # Where nothing was asked yet, two columns of nothing would only wrap the others.
    titles = ["HOST", "SERVICE", "STATE", "LOADED", "FREE MEM", "BUSY", "WAIT"]
    wide = any(status.HasField("measured") for status in cluster.services)
    titles += measured.TITLES if wide else ()
    for host in cluster.hosts:
        if host.host_id not in served:
            rank = condition.host_severity(host)
            said = condition.host_state(host, now)
            cells = [host.host_id, "-", said, "-", condition.free_memory(host), "-", "-"]
            cells += measured.NOTHING if wide else ()
            order = (0 if fixed else rank, host.host_id, "")
            rows.append(Row(order, cells, COLORS.get(rank, "")))
    for status in cluster.services:
        service = status.service
        found = hosts.get(service.host_id)
        if found is None:
            continue  # registered between our two questions; it shows next time
        rank = condition.severity(status, found)
        name = service.service_id.removeprefix(f"{service.host_id}/")
        cells = [found.host_id, name, condition.state(status, found, now)]
        cells += [condition.loaded(service, rank), condition.free_memory(found)]
        cells += [*condition.load(status, rank), *(measured.cells(status) if wide else ())]
        order = (0 if fixed else rank, found.host_id, name)
        rows.append(Row(order, cells, COLORS.get(rank, "")))
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
