"""Which of several candidates gateways send the next request to, as far as can be told ahead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from control.api.strategies import QueueSteps, Strategy, live_score, waiting
from control.ranking.candidates import Candidate


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a service is. concurrency: what it serves at the same time, 0 when unknown."""

    in_flight: int = 0
    queue_depth: int = 0
    concurrency: int = 0

    @property
    def waits(self) -> int:
        """Requests that wait there."""
        return waiting(self.in_flight, self.queue_depth, self.concurrency)

    @property
    def total(self) -> int:
        """Requests under way and waiting, as strategies that balance compare them."""
        return self.in_flight + self.queue_depth


IDLE = Load()


def live(candidate: Candidate, load: Load, steps: QueueSteps) -> float:
    """Return the score of a candidate less what the requests that wait there cost it."""
    return live_score(candidate.score, candidate.runtime, load.waits, steps)


def picked(
    strategy: Strategy,
    candidates: Sequence[Candidate],
    loads: Mapping[str, Load],
    steps: QueueSteps,
) -> list[Candidate]:
    """Return those that the next request can go to, the likeliest first: one of the best tier.

    It can go to several where turns or chance decide; of very many, gateways look at some.
    loads: by service; who is missing is idle. steps: what requests that wait cost a score.
    """
    if not candidates:
        return []
    tier = min(candidate.tier for candidate in candidates)
    equals = [candidate for candidate in candidates if candidate.tier == tier]

    def load(candidate: Candidate) -> Load:
        return loads.get(candidate.service_id, IDLE)

    if strategy is Strategy.SCORED:
        return [min(equals, key=lambda one: (-live(one, load(one), steps), one.service_id))]
    equals.sort(key=lambda one: (load(one).total, -one.score, one.service_id))
    if strategy is Strategy.LEAST_LOADED:
        return equals[:1]
    if strategy is Strategy.POWER_OF_TWO:
        # Of two different ones the last is never the less loaded.
        return equals[: max(len(equals) - 1, 1)]
    return equals
