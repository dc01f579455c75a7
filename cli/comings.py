"""Which hosts come, fall silent and leave, told a line each while `geniehive up` runs."""

from collections.abc import Mapping

from geniehive.v1 import inventory_pb2 as inventory

from cli.cluster import Cluster
from cli.text import plural

Seen = Mapping[str, bool]  # whether each host is online


def seen(cluster: Cluster) -> Seen:
    """Return the hosts there are."""
    return {one.host_id: one.state != inventory.HOST_STATE_LOST for one in cluster.hosts}


def changes(before: Seen, cluster: Cluster) -> list[str]:
    """Return what happened since `before`, e.g. `+ tower joined: 9 models`."""
    now = seen(cluster)
    told = []
    for host_id, online in now.items():
        if host_id not in before:
            told.append(f"+ {host_id} joined: {plural(_models(host_id, cluster), 'model')}")
        elif online and not before[host_id]:
            told.append(f"+ {host_id} is back: {plural(_models(host_id, cluster), 'model')}")
        elif before[host_id] and not online:
            told.append(f"! {host_id} lost: no heartbeat")
    told += [f"- {host_id} left" for host_id in before if host_id not in now]
    return told


def _models(host_id: str, cluster: Cluster) -> int:
    return sum(
        len(one.service.assets) for one in cluster.services if one.service.host_id == host_id
    )
