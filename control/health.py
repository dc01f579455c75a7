"""Whether requests may go to a service: one rule, and nowhere else."""

from control.inventory import Health, HostState


def routable(host: HostState, reported: Health, *, held_back: bool) -> bool:
    """Return whether a service is routed to, from its host's life and its reported health.

    held_back: whether it, or its host, comes and goes too often to be relied upon.
    """
    return host is HostState.ONLINE and reported is Health.HEALTHY and not held_back
