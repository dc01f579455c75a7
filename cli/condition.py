"""How a host or a service is: how bad, and in words."""

from collections.abc import Sequence
from datetime import UTC, datetime

from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as routing

from cli.text import age, gigabytes
from control.api.cluster_documents import CLOSED
from control.api.route_documents import AVAILABILITIES

LOST, DOWN, EJECTED, RETURNING, LOADING, WAITING, UP = range(7)
COLORS = {
    **dict.fromkeys((LOST, DOWN), "red"),
    **dict.fromkeys((EJECTED, RETURNING, LOADING, WAITING), "yellow"),
}
SHARING = frozenset({"apple"})  # makers of processors that all share the main memory
SILENT = frozenset({LOST, RETURNING, DOWN})  # what such a one told last is not how it is


def health(status: pb.ServiceStatus) -> inventory.Health:
    """Return whether a service is well, by its node and by probes together."""
    # An older control tells only what the node says.
    return status.health or status.service.observation.health


def severity(status: pb.ServiceStatus, host: inventory.Host) -> int:
    """Return how bad a service is; the smallest is the worst."""
    if host.state == inventory.HOST_STATE_LOST:
        return LOST
    if host.state == inventory.HOST_STATE_RETURNING:
        return RETURNING
    told = health(status)
    if told == inventory.HEALTH_LOADING:
        return LOADING
    if told != inventory.HEALTH_HEALTHY:
        return DOWN
    if not status.routable:  # drained, held back, or not lent
        return WAITING
    return EJECTED if status.HasField("ejection") else UP


def host_severity(host: inventory.Host) -> int:
    """Return how bad a host is; the smallest is the worst."""
    return {
        inventory.HOST_STATE_LOST: LOST,
        inventory.HOST_STATE_RETURNING: RETURNING,
    }.get(host.state, UP)


def host_state(host: inventory.Host, now: datetime) -> str:
    """Return how a host is, in words. now: aware."""
    if host.state == inventory.HOST_STATE_LOST:
        return f"lost {age(silence(host, now))}: no heartbeat"
    if host.state == inventory.HOST_STATE_RETURNING:
        return "returning"
    return "up, drained" if host.drained else "up"


def silence(host: inventory.Host, now: datetime) -> float:
    """Return for how many seconds nothing was heard of a host. now: aware."""
    return (now - host.heartbeat_time.ToDatetime(UTC)).total_seconds()


def state(status: pb.ServiceStatus, host: inventory.Host, now: datetime) -> str:
    """Return how a service is, in words. now: aware."""
    seen, rank = status.service.observation, severity(status, host)
    if status.drained and rank == WAITING:
        return f"draining, {status.in_flight} left" if status.in_flight else "drained"
    availability = AVAILABILITIES.get(seen.availability, "available")
    if rank in {WAITING, UP} and availability != "available":
        why = f": {seen.detail}" if seen.detail and availability in CLOSED else ""
        return f"{availability.replace('_', ' ')}{why}"
    if status.HasField("held_back") and rank == WAITING:
        return f"up, held back {age(status.held_back.ToTimedelta().total_seconds())}"
    detail = seen.detail or (status.probe.detail if rank == DOWN else "")
    words = {
        LOST: host_state(host, now),
        DOWN: f"down: {detail}" if detail else "down",
        RETURNING: "returning: not heard since control started",
        EJECTED: f"up, {ejected(status.ejection)}",
        LOADING: "loading",
        WAITING: f"up, {detail or 'not routed'}",
        UP: "up",
    }
    return words[rank]


def kept_out(found: pb.ServiceStatus | routing.Explanation) -> bool:
    """Return whether gateways keep a service out, and do not wait for a request to try it."""
    return found.ejection.remaining.ToNanoseconds() > 0


def ejected(ejection: routing.Ejection) -> str:
    """Return for how long gateways keep a service out, and why."""
    left = ejection.remaining.ToTimedelta().total_seconds()
    return f"ejected {age(left)}: {ejection.reason}" if left else f"on trial: {ejection.reason}"


def loaded(service: inventory.Service, rank: int) -> str:
    """Return how many of its assets are in memory, and the first of them."""
    total = len(service.assets)
    if rank in SILENT:
        return f"?/{total}"
    names = [asset.asset_id for asset in service.assets if asset.loaded]
    first = f" {names[0]}" if names else ""
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return f"{len(names)}/{total}{first}{more}"


def load(status: pb.ServiceStatus, rank: int) -> Sequence[str]:
    """Return how many requests of how many possible ones are served, and how many wait.

    These wait in gateways, or inside the engine, as far as its node sees that.
    """
    if rank in SILENT:
        return ["?", "?"]
    seen = status.service.observation
    slots = status.service.concurrency or "?"
    known = status.waiting or seen.HasField("queue_depth")
    return [f"{status.in_flight}/{slots}", str(waiting(status)) if known else "?"]


def waiting(status: pb.ServiceStatus) -> int:
    """Return how many requests are known to wait for a service, or inside of it."""
    return status.waiting + status.service.observation.queue_depth


def free_memory(host: inventory.Host) -> str:
    """Return the free memory for models: that of graphics processors where they have their own."""
    vram = free_vram(host)
    return free_ram(host) if vram == "-" else vram


def free_ram(host: inventory.Host) -> str:
    """Return the free main memory of a host."""
    known = host.metrics.HasField("memory_available_bytes")
    if host.state != inventory.HOST_STATE_ONLINE or not known:
        return "?"
    return gigabytes(host.metrics.memory_available_bytes)


def free_vram(host: inventory.Host) -> str:
    """Return the free memory of all graphics processors of a host that have their own."""
    own = {one.gpu_id: one.memory_bytes for one in host.resources.gpus if has_memory(one)}
    if not own:
        return "-"
    used = {
        one.gpu_id: one.memory_used_bytes
        for one in host.metrics.gpus
        if one.HasField("memory_used_bytes")
    }
    if host.state != inventory.HOST_STATE_ONLINE or not own.keys() <= used.keys():
        return "?"
    return gigabytes(sum(max(size - used[gpu_id], 0) for gpu_id, size in own.items()))


def has_memory(gpu: inventory.Gpu) -> bool:
    """Return whether a graphics processor is known to have memory of its own."""
    return gpu.memory_bytes > 0 and gpu.vendor not in SHARING
