"""Lists of hosts, services, roles and models, as tables."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from google.protobuf.duration_pb2 import Duration

from cli import condition
from cli.models import Model
from cli.table import Row, table
from cli.text import age, duration, gigabytes
from control.api.cluster_documents import slowest
from control.api.route_documents import OPERATIONS

NUMBERS = frozenset(
    {"CORES", "MEMORY", "FREE MEM", "CPU", "SEEN", "BUSY", "WAIT", "LATENCY", "TOK/S"}
    | {"SERVICES", "IN MEM", "CONTEXT", "FREE VRAM", "P95", "KV", "SIZE"}
)
HOSTS = ("HOST", "STATE", "ADDRESS", "TIER", "CORES", "MEMORY", "FREE MEM", "CPU", "SEEN")
SERVICES = ("SERVICE", "STATE", "ENGINE", "LOADED", "BUSY", "WAIT", "LATENCY", "TOK/S")
ROLES = ("ROLE", "OPERATION", "SERVED BY", "SERVICES", "IN MEM", "LATENCY", "FALLBACK")
MODELS = ("MODEL", "KIND", "OPERATION", "LOADED", "CONTEXT", "SERVED BY")
NOBODY = "nobody now"


def hosts(found: Sequence[inventory.Host], now: datetime, width: int | None, color: bool) -> str:
    """Return a row for each host. now: aware; width: of a terminal, in cells."""
    if not found:
        return "no hosts; one more: geniehive node --config FILE"
    # A column of nothing would only wrap the others.
    wide = any(one.resources.gpus for one in found)
    rows = [
        Row(
            (place,),
            [*host_cells(one, now), *((graphics(one), condition.free_vram(one)) if wide else ())],
            condition.COLORS.get(condition.host_severity(one), ""),
        )
        for place, one in enumerate(found)
    ]
    return _drawn((*HOSTS, *(("GPU", "FREE VRAM") if wide else ())), rows, width, color)


def graphics(host: inventory.Host) -> str:
    """Return the graphics processors of a host: `2 RTX 4090, 1 ?`."""
    names = Counter(one.name or "?" for one in host.resources.gpus)
    return ", ".join(f"{count} {name}" for name, count in names.items()) or "-"


def host_cells(host: inventory.Host, now: datetime) -> list[str]:
    """Return how a host is; what it told last is not known of one that is silent."""
    online = host.state == inventory.HOST_STATE_ONLINE
    busy = online and host.metrics.HasField("cpu_utilization")
    return [
        host.host_id,
        condition.host_state(host, now),
        host.address or "-",
        host.trust_tier or "-",
        str(host.resources.cpu_threads or "?"),
        gigabytes(host.resources.memory_bytes) if host.resources.memory_bytes else "?",
        condition.free_ram(host),
        f"{host.metrics.cpu_utilization:.0%}" if busy else "?",
        age(condition.silence(host, now)),
    ]


def services(
    found: Sequence[pb.ServiceStatus],
    owners: Mapping[str, inventory.Host],
    now: datetime,
    width: int | None,
    color: bool,
) -> str:
    """Return a row for each service. owners: the hosts by id."""
    if not found:
        return "no services; what is there: geniehive status"
    # Few engines tell of these two.
    slow = any(slowest(one) is not None for one in found)
    cached = any(one.service.observation.HasField("kv_cache_utilization") for one in found)
    rows = []
    for place, one in enumerate(found):
        # A host that registered between our two questions is there.
        host = owners.get(one.service.host_id) or inventory.Host(state=inventory.HOST_STATE_ONLINE)
        rank = condition.severity(one, host)
        cells = [
            one.service.service_id,
            condition.state(one, host, now),
            engine(one.service) or "-",
            condition.loaded(one.service, rank),
            *condition.load(one, rank),
            latency(one.latency_p50 if one.HasField("latency_p50") else None),
            f"{one.tokens_per_second:.0f}" if one.HasField("tokens_per_second") else "-",
        ]
        cells += [_p95(one)] if slow else []
        cells += [_cache(one, rank)] if cached else []
        rows.append(Row((place,), cells, condition.COLORS.get(rank, "")))
    titles = (*SERVICES, *(("P95",) if slow else ()), *(("KV",) if cached else ()))
    return _drawn(titles, rows, width, color)


def engine(service: inventory.Service) -> str:
    """Return what serves, and which version of it."""
    return f"{service.engine} {service.engine_version}".strip()


def _p95(status: pb.ServiceStatus) -> str:
    found = slowest(status)
    return "-" if found is None else duration(found / 1_000)


def _cache(status: pb.ServiceStatus, rank: int) -> str:
    """Return how much of the memory for contexts is in use."""
    seen = status.service.observation
    if rank in condition.SILENT:
        return "?"
    return f"{seen.kv_cache_utilization:.0%}" if seen.HasField("kv_cache_utilization") else "?"


def roles(found: Sequence[pb.RoleStatus], width: int | None) -> str:
    """Return a row for each role."""
    if not found:
        return "no roles; roles_path in the settings of control names a catalog"
    rows = [Row((place,), _role(one)) for place, one in enumerate(found)]
    return _drawn(ROLES, rows, width, color=False)


def _role(one: pb.RoleStatus) -> list[str]:
    return [
        one.role.role_id,
        OPERATIONS.get(one.role.operation, "?"),
        f"{one.service_id} {one.asset_id}" if one.service_id else NOBODY,
        str(one.candidate_count),
        str(one.loaded_candidate_count),
        latency(one.best_latency_p50 if one.HasField("best_latency_p50") else None),
        ", ".join(one.fallback_roles) or "-",
    ]


def models(found: Sequence[Model], width: int | None) -> str:
    """Return a row for each name that can be asked for."""
    if not found:
        return "no models; what is there: geniehive status"
    rows = [Row((place,), _model(one)) for place, one in enumerate(found)]
    return _drawn(MODELS, rows, width, color=False)


def _model(one: Model) -> list[str]:
    more = f" +{len(one.services) - 1}" if len(one.services) > 1 else ""
    return [
        one.name,
        one.kind,
        ",".join(one.operations),
        "yes" if one.loaded else "no",
        str(one.context_tokens or ("-" if one.kind == "role" else "?")),
        f"{one.services[0]}{more}" if one.services else NOBODY,
    ]


def latency(span: Duration | None) -> str:
    """Return a span of time; None: it is not known."""
    return "-" if span is None else duration(span.seconds + span.nanos / 1e9)


def _drawn(titles: Sequence[str], rows: Sequence[Row], width: int | None, color: bool) -> str:
    return table(titles, rows, numbers=NUMBERS, colored="STATE" if color else "", width=width)
