"""Whether a service is well by its probes: two in a row must say so to change it. Pure.

One probe that fails, or one that succeeds between failures, changes nothing. A service
that was never probed, or too long ago, is neither well nor unwell.
"""

from dataclasses import dataclass

from control.inventory import Health


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds, and what the last probe found if that was something else."""

    health: Health = Health.UNKNOWN
    doubt: Health | None = None


UNPROBED = Standing()


def after(standing: Standing, found: Health) -> Standing:
    """Return what holds after one more probe.

    Ways of being unwell confirm each other: down and loading in turn is not well. What tells
    nothing confirms neither.
    """
    if found is standing.health or (standing.doubt and _agree(standing.doubt, found)):
        return Standing(found)
    return Standing(standing.health, doubt=found)


def _agree(one: Health, other: Health) -> bool:
    return one is other or {one, other} == {Health.UNHEALTHY, Health.LOADING}
