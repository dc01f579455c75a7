"""Whether a service is well, and whether requests may go to it: rules that stand nowhere else."""

from control.inventory import Availability, Health, HostState
from control.ranking.eligibility import USABLE

_BADNESS = {Health.HEALTHY: 0, Health.UNKNOWN: 1, Health.LOADING: 2, Health.UNHEALTHY: 3}


def combined(reported: Health, probed: Health) -> Health:
    """Return whether a service is well by its node and by probes together: the worse counts.

    A service that is not probed is as its node says, and a probe never makes one well that
    its node does not call well: the node is nearer, and sees what no probe asks for.
    """
    return reported if probed is Health.UNKNOWN else worse(reported, probed)


def worse(one: Health, other: Health) -> Health:
    """Return the worse of the two."""
    return one if _BADNESS[one] >= _BADNESS[other] else other


def falls(before: Health, after: Health) -> bool:
    """Return whether a service went down.

    One that loads another model works, and did not.
    """
    return before is Health.HEALTHY and after not in (Health.HEALTHY, Health.LOADING)


def well(
    host: HostState, health: Health, availability: Availability = Availability.AVAILABLE
) -> bool:
    """Return whether a service may be routed to.

    That is by the life of its host, by its combined health and by what its owner lets
    others do with it.
    """
    return host is HostState.ONLINE and health is Health.HEALTHY and availability in USABLE
