"""Whether requests may go to a service: one rule, and nowhere else."""

from control.inventory import Health, HostState


def well(host: HostState, reported: Health) -> bool:
    """Return whether a service may be routed to, from its host's life and its reported health."""
    return host is HostState.ONLINE and reported is Health.HEALTHY
