"""What control did so far and how it stands, in one line of the log, whenever SIGUSR1 asks."""

from control.cluster import Cluster
from control.rules.reloading import Status
from control.store.database import Writer
from control.table.watch import Hub


def vitals(cluster: Cluster, writer: Writer, routes: Hub, rules: Status) -> str:
    """Return counts since the start, and the state now; two of them tell rates."""
    members = cluster.membership
    facts = {
        "hosts": len(members.members),
        "online": members.online,
        "returning": members.returning,
        "silent and spared": cluster.spared,
        "held back": len(members.flaps),
        "heartbeats": members.beats,
        "values dropped": members.dropped_values,
        "transactions": writer.transactions,
        "route version": routes.identity.version,
        "watchers": len(routes.watchers),
        "roles": rules.roles,
        "problems of what is written about routing": len(rules.problem.splitlines()),
    }
    return ", ".join(f"{name} {value}" for name, value in facts.items())
