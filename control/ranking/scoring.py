"""The static score: how good a candidate is before anybody knows how busy it is."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A service and an asset that can serve a name now."""

    service_id: str
    asset_id: str
    loaded: bool

    @property
    def score(self) -> float:
        """Higher is better: a loaded asset answers without waiting for its weights."""
        return 1.0 if self.loaded else 0.0


def order(candidate: Candidate) -> tuple[float, str, str]:
    """Return a key that sorts best first; ties go to the smaller service id, then asset id."""
    return -candidate.score, candidate.service_id, candidate.asset_id


def best(candidates: Iterable[Candidate]) -> Candidate:
    """Return the first by `order`; there must be one."""
    return min(candidates, key=order)
