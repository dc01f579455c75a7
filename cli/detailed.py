"""One host, service, role or model, with all that control knows of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import roles_pb2
from geniehive.v1 import routing_service_pb2 as routing

from cli import condition, learned, listed
from cli.models import Model
from cli.output import clean
from cli.table import Row, table
from cli.text import age, duration, gigabytes, plural
from control.api.cluster_documents import HEALTHS, LOAD_MODES, slowest
from control.api.message_values import moment, seconds
from control.api.route_documents import OPERATIONS, STRATEGIES, url

Pairs = Iterator[tuple[str, str]]

ASSETS = ("ASSET", "OPERATION", "LOADED", "CONTEXT", "SIZE", "FAMILY", "CAN", "ROLES")
PROBLEMS_SHOWN = 5
SERVING = ("SERVICE", "LOADED", "CONTEXT", "BUSY", "WAIT", "LATENCY")


def host(found: pb.GetHostInventoryResponse, now: datetime, width: int | None) -> str:
    """Return a host and its services. now: aware; width: of a terminal, in cells."""
    one = found.host
    told = [*_host(one, now), *_found(found.machine)]
    parts = [f"{clean(one.host_id)}: {condition.host_state(one, now)}", *fields(told)]
    owners = {one.host_id: one}
    parts.append(listed.services(found.services, owners, now, width, color=False))
    return "\n".join(parts)


def _host(one: inventory.Host, now: datetime) -> Pairs:
    if one.display_name != one.host_id:
        yield "name", one.display_name
    yield "address", one.address
    yield "heard", f"{age(condition.silence(one, now))} ago"
    yield "machine", ", ".join(_machine(one))
    yield from _graphics(one)
    yield "trust tier", one.trust_tier
    yield "device class", one.device_class
    yield "lent for", ", ".join(one.workload_classes)
    yield "lent when", ", ".join(_terms(one.contribution))
    yield "families", ", ".join(one.allowed_model_families)
    yield "labels", _pairs(one.labels)
    yield (
        "abilities",
        _pairs({name: "yes" if one.capabilities[name] else "no" for name in one.capabilities}),
    )
    yield "node key", one.node_key_id


def _machine(one: inventory.Host) -> Iterator[str]:
    if one.resources.cpu_threads:
        yield plural(one.resources.cpu_threads, "core")
    if one.resources.memory_bytes:
        yield gigabytes(one.resources.memory_bytes)
    yield f"{condition.free_ram(one)} free"
    if one.state != inventory.HOST_STATE_ONLINE:
        return
    if one.metrics.HasField("cpu_utilization"):
        yield f"{one.metrics.cpu_utilization:.0%} busy"
    if one.metrics.HasField("temperature_celsius"):
        yield f"{one.metrics.temperature_celsius:.0f} °C"
    if one.metrics.HasField("on_ac_power"):
        yield "on mains" if one.metrics.on_ac_power else "on battery"


def _graphics(one: inventory.Host) -> Pairs:
    online = one.state == inventory.HOST_STATE_ONLINE
    told = {busy.gpu_id: busy for busy in one.metrics.gpus} if online else {}
    for gpu in one.resources.gpus:
        yield "gpu", ", ".join(_processor(gpu, told.get(gpu.gpu_id) or inventory.GpuMetrics()))


def _processor(gpu: inventory.Gpu, busy: inventory.GpuMetrics) -> Iterator[str]:
    yield gpu.name or gpu.gpu_id
    if condition.has_memory(gpu):
        yield gigabytes(gpu.memory_bytes)
        used = busy.HasField("memory_used_bytes")
        free = gigabytes(max(gpu.memory_bytes - busy.memory_used_bytes, 0)) if used else "?"
        yield f"{free} free"
    if busy.HasField("utilization"):
        yield f"{busy.utilization:.0%} busy"
    if busy.HasField("temperature_celsius"):
        yield f"{busy.temperature_celsius:.0f} °C"


def _terms(policy: inventory.ContributionPolicy) -> Iterator[str]:
    if policy.idle_only:
        yield "nobody else uses it"
    if policy.ac_power_only:
        yield "on mains"
    if policy.HasField("thermal_ceiling_celsius"):
        yield f"at most {policy.thermal_ceiling_celsius:.0f} °C"
    if policy.HasField("max_memory_bytes"):
        yield f"for models of at most {gigabytes(policy.max_memory_bytes)}"


def _found(machine: inventory.MachineInventory) -> Pairs:
    """Say what is on a machine beside what serves; a problem is a line."""
    if machine.model_file_count:
        size = gigabytes(sum(one.size_bytes for one in machine.model_files))
        most = "more than " if machine.model_file_count > len(machine.model_files) else ""
        yield "weights", f"{plural(machine.model_file_count, 'file')} of GGUF, {most}{size}"
    for problem in machine.problems[:PROBLEMS_SHOWN]:
        yield "problem", problem
    if (more := len(machine.problems) - PROBLEMS_SHOWN) > 0:
        yield "problem", f"and {more} more: geniehive hosts NAME --json"


def service(one: pb.ServiceStatus, owner: inventory.Host, now: datetime, width: int | None) -> str:
    """Return a service and its assets. owner: its host."""
    rank = condition.severity(one, owner)
    head = f"{one.service.service_id}: {condition.state(one, owner, now)}"
    parts = [clean(head), *fields(_service(one, rank, now))]
    in_memory = ("?", "?") if rank in condition.SILENT else ("no", "yes")
    roles: dict[str, list[str]] = {}
    for served in one.roles:
        roles.setdefault(served.asset_id, []).append(served.role_id)
    rows = [
        Row(
            (place,),
            [
                asset.asset_id,
                _operations(asset),
                in_memory[asset.loaded],
                str(asset.context_tokens or "?"),
                gigabytes(asset.size_bytes) if asset.size_bytes else "?",
                asset.family or "-",
                ", ".join(asset.capabilities) or "-",
                ", ".join(roles.get(asset.asset_id, ())) or "-",
            ],
        )
        for place, asset in enumerate(one.service.assets)
    ]
    parts.append(
        table(ASSETS, rows, numbers=listed.NUMBERS, width=width) if rows else "no models yet"
    )
    return "\n".join(parts)


def _service(one: pb.ServiceStatus, rank: int, now: datetime) -> Pairs:
    found = one.service
    relay = found.endpoint.relay.address
    yield "endpoint", url(found.endpoint) + (f" (relayed by its node at {relay})" if relay else "")
    yield "engine", listed.engine(found)
    yield "own key", "set" if found.has_api_key else ""
    yield "loads models", LOAD_MODES.get(found.load_mode, "none").replace("_", " ")
    busy, waiting = condition.load(one, rank)
    yield "requests", f"{busy} served, {waiting} waiting"
    yield "memory", "" if rank in condition.SILENT else ", ".join(_memory(found.observation))
    yield "health", _health(one, now)
    yield "rotation", _ejected(one.ejection) if one.HasField("ejection") else ""
    yield "speed", ", ".join(_speed(one))
    yield "measured", _measured(one.measured) if one.HasField("measured") else ""
    for line in learned.speeds(one.learned):
        yield "learned", line


def _memory(seen: inventory.ServiceObservation) -> Iterator[str]:
    if seen.HasField("vram_used_bytes"):
        yield f"{gigabytes(seen.vram_used_bytes)} of graphics processors"
    if seen.HasField("kv_cache_utilization"):
        yield f"{seen.kv_cache_utilization:.0%} of that for contexts in use"


def _speed(one: pb.ServiceStatus) -> Iterator[str]:
    if one.HasField("latency_p50"):
        slow = slowest(one)
        worst = "" if slow is None else f" (p95 {duration(slow / 1_000)})"
        yield f"{listed.latency(one.latency_p50)} to an answer{worst}"
    if one.HasField("tokens_per_second"):
        yield f"{one.tokens_per_second:.0f} tokens/s"
    if one.service.observation.HasField("prompt_tokens_per_second"):
        yield f"{one.service.observation.prompt_tokens_per_second:.0f} prompt tokens/s"


def _health(one: pb.ServiceStatus, now: datetime) -> str:
    node = HEALTHS.get(one.service.observation.health, "unknown")
    if not one.HasField("probe"):
        return f"{node}, by its node"
    probed = HEALTHS.get(one.probe.health, "unknown")
    at = moment(one.probe, "probe_time")
    ago = "" if at is None else f" {age(now.timestamp() - at)} ago"
    last = "the last: " if one.probe.health == inventory.HEALTH_HEALTHY else ""
    detail = f" ({last}{one.probe.detail})" if one.probe.detail else ""
    return f"{node}, by its node; {probed}, by probes{ago}{detail}"


def _ejected(told: routing.Ejection) -> str:
    return f"{condition.ejected(told)}, by {plural(told.gateway_count, 'gateway')}"


def _measured(told: pb.Measured) -> str:
    failed = sum(told.error_counts.values())
    words = [plural(told.request_count, "request")]
    if failed:
        worst = max(sorted(told.error_counts), key=lambda code: told.error_counts[code])
        words.append(f"{failed} failed (most: {worst})")
    if (first := seconds(told, "first_byte_p50")) is not None:
        words.append(f"first byte after {duration(first)}")
    return ", ".join(words) + ", since yesterday"


def role(one: pb.RoleStatus) -> str:
    """Return a role and who serves it."""
    target = f"{one.service_id} {one.asset_id}" if one.service_id else listed.NOBODY
    operation = OPERATIONS.get(one.role.operation, "?")
    parts = [clean(f"{one.role.role_id} ({operation}) -> {target}"), *fields(_role(one))]
    parts.append(clean(f"next: geniehive route explain {one.role.role_id}"))
    return "\n".join(parts)


def _role(one: pb.RoleStatus) -> Pairs:
    found, policy = one.role, one.role.routing_policy
    if found.display_name != found.role_id:
        yield "name", found.display_name
    yield "description", found.description
    yield "modality", found.modality
    count = plural(one.candidate_count, "service")
    yield "could serve", f"{count}, {one.loaded_candidate_count} with the model in memory"
    if one.HasField("best_latency_p50"):
        yield "best", f"{listed.latency(one.best_latency_p50)} to an answer"
    yield "strategy", STRATEGIES.get(one.strategy, "")
    yield "fallbacks", ", ".join(one.fallback_roles)
    yield from _policy(policy)
    request = one.effective_request_policy
    yield "prompt", request.system_prompt
    yield "template", request.user_template
    yield "sets", request.body_overrides
    yield "fills in", request.body_defaults


def _policy(policy: roles_pb2.RoutingPolicy) -> Pairs:
    yield "families", ", ".join(policy.preferred_families)
    yield "labels", ", ".join(policy.preferred_labels)
    yield "context", f"{policy.min_context} tokens or more" if policy.min_context else ""
    yield "in memory", "required" if policy.require_loaded else ""
    yield "devices", "employees' too" if policy.allow_employee_devices else ""
    yield "providers", "allowed" if policy.allow_providers else ""
    for what in ("trust_tiers", "device_classes", "workload_classes"):
        for rule in ("allowed", "denied"):
            yield f"{rule} {what.replace('_', ' ')}", ", ".join(getattr(policy, f"{rule}_{what}"))
    yield "priority", policy.priority
    guardrail = policy.guardrail_profile
    yield "guardrail", "" if guardrail == "none" else guardrail
    yield "benchmarks", ", ".join(policy.agentic_benchmark_workloads)


def model(one: Model, services: Sequence[pb.ServiceStatus], width: int | None) -> str:
    """Return a name that can be asked for, and the services that serve it."""
    head = f"{one.name} ({one.kind}, {', '.join(one.operations)})"
    by_id = {status.service.service_id: status for status in services}
    rows = []
    for place, service_id in enumerate(one.services):
        status = by_id[service_id]
        asset = _asset_of(one, status)
        rank = condition.UP
        cells = [
            service_id,
            "yes" if asset.loaded else "no",
            str(asset.context_tokens or "?"),
            *condition.load(status, rank),
            listed.latency(status.latency_p50 if status.HasField("latency_p50") else None),
        ]
        rows.append(Row((place,), cells))
    shown = table(SERVING, rows, numbers=listed.NUMBERS, width=width) if rows else listed.NOBODY
    explained = f"next: geniehive route explain {one.name}"
    return "\n".join([clean(head), shown, clean(explained)])


def _asset_of(one: Model, status: pb.ServiceStatus) -> inventory.Asset:
    """Return the asset of a service that serves a name."""
    if one.kind == "role":
        served = [found.asset_id for found in status.roles if found.role_id == one.name]
        wanted = served[0] if served else ""
    else:
        wanted = one.name.removeprefix("asset/")
    found = [asset for asset in status.service.assets if asset.asset_id == wanted]
    return found[0] if found else inventory.Asset()


def fields(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line for each name and value that says something, values below each other."""
    told = [(name, clean(value)) for name, value in pairs if value]
    wide = max((len(name) for name, _ in told), default=0)
    return [f"  {name:<{wide}}  {value}" for name, value in told]


def _operations(asset: inventory.Asset) -> str:
    return ",".join(OPERATIONS.get(one, "?") for one in asset.operations)


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(values.items()))
