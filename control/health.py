"""Whether requests may go to a service: one rule, and nowhere else."""

from control.inventory import Availability, Health, HostState
from control.ranking.eligibility import USABLE


def well(
    host: HostState, reported: Health, availability: Availability = Availability.AVAILABLE
) -> bool:
    """Return whether a service may be routed to.

    That is by the life of its host, by its reported health and by what its owner lets
    others do with it.
    """
    return host is HostState.ONLINE and reported is Health.HEALTHY and availability in USABLE
