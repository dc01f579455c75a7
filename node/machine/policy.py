"""Whether the owner of the machine lends it now."""

from collections.abc import Sequence
from dataclasses import dataclass

from node.state import Contribution

# Somebody uses it: between these two it stays what it was, so that it does not flap.
BUSY_SHARE, QUIET_SHARE = 0.20, 0.10
TOUCHED_SECONDS = 300.0
COOLER_CELSIUS = 5.0  # below the ceiling, until it is lent again
IDLE, HEAT = "idle_only", "thermal_ceiling_c"  # which settings forbade it, as they are written


@dataclass(frozen=True, slots=True)
class Facts:
    """What the policy looks at; None where nothing is known."""

    on_ac_power: bool | None = None
    temperature_celsius: float | None = None  # of the hottest processor of any kind
    others_utilization: float | None = None  # share of all processors that others take
    untouched_seconds: float | None = None  # since somebody typed at it


def forbidden(policy: Contribution, facts: Facts, before: str = "") -> str:
    """Return why the machine may not be used now, in words for people; "" when it may.

    before: what was returned last; the setting that forbade it does so until things are
    clearly better.
    What is not known forbids nothing.
    """
    ceiling, heat = policy.thermal_ceiling_celsius, facts.temperature_celsius
    if policy.ac_power_only and facts.on_ac_power is False:
        return "on battery; ac_power_only"
    if ceiling is not None and heat is not None:
        most = ceiling - COOLER_CELSIUS if before.endswith(HEAT) else ceiling
        if heat > most:
            return f"hotter than {most:g} °C; {HEAT}"
    if policy.idle_only:
        touched = facts.untouched_seconds
        if touched is not None and touched < TOUCHED_SECONDS:
            return f"somebody is at it; {IDLE}"
        others = facts.others_utilization
        if others is not None and others > (QUIET_SHARE if before.endswith(IDLE) else BUSY_SHARE):
            return f"other programs use it; {IDLE}"
    return ""


def unseen(policy: Contribution) -> str:
    """Return why a machine that was not looked at yet may not be used; "" when it may."""
    bounded = policy.idle_only or policy.ac_power_only
    return "not looked at yet" if bounded or policy.thermal_ceiling_celsius is not None else ""


def unknown(policy: Contribution, facts: Facts) -> Sequence[str]:
    """Return what the policy looks at and nobody can tell, a line each."""
    asked = (
        (policy.ac_power_only, facts.on_ac_power, "ac_power_only: no battery is found"),
        (
            policy.thermal_ceiling_celsius is not None,
            facts.temperature_celsius,
            "thermal_ceiling_c: no temperature is found",
        ),
    )
    return [f"{why}, so that it forbids nothing" for on, fact, why in asked if on and fact is None]
