"""A service and an asset that can serve a name, and which of several comes first."""

from collections.abc import Iterable
from dataclasses import dataclass

from control.inventory import RequestPolicy


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who can serve a name now, and how well before anybody knows how busy it is.

    score: 0 to 1, 4 digits. tier: lower ones serve before higher ones. runtime: the part of
    the score that requests which wait can cost. policy: the request policy that applies.
    absent: the asset is not in memory, and the service loads it when it is asked for it.
    """

    service_id: str
    asset_id: str
    loaded: bool
    score: float = 0.0
    tier: int = 0
    runtime: float = 0.0
    policy: RequestPolicy | None = None
    absent: bool = False


def order(candidate: Candidate) -> tuple[int, float, str, str]:
    """Return a key that sorts best first; ties go to the smaller service id, then asset id."""
    return candidate.tier, -candidate.score, candidate.service_id, candidate.asset_id


def best(candidates: Iterable[Candidate]) -> Candidate:
    """Return the first by `order`; there must be one."""
    return min(candidates, key=order)
